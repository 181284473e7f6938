// Problems: everything that is wrong with a config, and where.
//
// Whoever reads, resolves or checks a config adds what it finds and goes on, so that an operator
// sees all of it at once. Knows the files and the place of each key in them (Sources), and has
// errors begin with it. Leaves out what only follows from an error before: a key that could not be
// read is not reported again for being empty. Never shows what a reference holds.

#ifndef GROVE_SERVER_CONFIG_PROBLEMS_H_
#define GROVE_SERVER_CONFIG_PROBLEMS_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace grove::config {

// Lines shown, and their bytes in all: an error travels. "and 12 more" stands for the rest.
inline constexpr size_t kProblemsShownMax = 50;
inline constexpr size_t kProblemsShownBytesMax = 16 * 1024;
// Of one, whose middle is cut: paths have thousands.
inline constexpr size_t kProblemBytesMax = 2'000;

// `file` is an index into Sources::files(), -1 for no place; line and column count from 1, 0 where
// only the file is known.
struct Place {
  int file = -1;
  int line = 0;
  int column = 0;
};

// Where a config came from. Keys are with indices: "tenants[0].name".
class Sources {
 public:
  int AddFile(const std::string& path);
  void Put(const std::string& key, const Place& place) { places_[key] = place; }
  // `text` stands in the file for the key's `value`.
  void PutReference(const std::string& key, const std::string& text, const std::string& value) {
    references_[key] = {text, value};
  }

  // The main one first.
  const std::vector<std::string>& files() const { return files_; }
  // nullptr where the key stands nowhere.
  const Place* Find(const std::string& key) const;
  // Of the key, or the nearest section around it that stands somewhere.
  Place Nearest(std::string_view key) const;
  // "c.yaml:3:5"; empty for no place.
  std::string Text(const Place& place) const;
  // Key -> text.
  std::map<std::string, std::string> References() const;
  // `text` with what the references at the key, and below, hold replaced by what they are.
  std::string Masked(std::string_view key, std::string text) const;

 private:
  struct Reference {
    std::string text;
    std::string value;
  };

  std::vector<std::string> files_;
  std::map<std::string, Place> places_;
  std::map<std::string, Reference> references_;
};

class Problems {
 public:
  Sources& sources() { return sources_; }
  const Sources& sources() const { return sources_; }

  // While a file is read: always kept. What is reported later of `key`, or in it, follows from it;
  // of everything where the key is empty.
  void AddAt(const Place& place, std::string_view key, std::string_view what);
  // As above, with the code and the message of a file that cannot be read.
  void AddAt(const Place& place, std::string_view key, const absl::Status& status);
  // Of what has been read: `key` is with indices, or a flag ("--http"). Nothing is added to
  // what has been reported of a key, or of one in it.
  void Add(std::string_view key, std::string_view what);
  // "KEY: what", as other modules say it; any other message is kept as it is. Nothing for OK.
  void Add(const absl::Status& status);
  // What is legal and hardly meant.
  void Warn(std::string_view key, std::string_view what);

  bool empty() const { return count_ == 0; }
  // Where a key stands, for errors about two: "c.yaml:3:5", else the key.
  std::string Where(const std::string& key) const;
  // OK for none; else one line each in the order of the places, and "N errors" after several. Its
  // code is kInvalidArgument, or that of a lone one; for programs, its reason is CONFIG_INVALID,
  // and each line that is shown is beside its key (server/refusal.h).
  absl::Status ToStatus() const;
  // In the order of the places.
  std::vector<std::string> Warnings() const;

 private:
  struct Problem {
    Place place;
    std::string key;
    std::string text;
    absl::StatusCode code = absl::StatusCode::kInvalidArgument;
  };

  bool Follows(std::string_view key) const;
  void Keep(Problem problem);
  std::string LineOf(const Problem& problem) const;

  Sources sources_;
  std::vector<Problem> problems_;
  std::vector<Problem> warnings_;
  std::set<std::string, std::less<>> broken_;
  std::set<std::string, std::less<>> reported_;
  int64_t count_ = 0;
};

}  // namespace grove::config

#endif  // GROVE_SERVER_CONFIG_PROBLEMS_H_
