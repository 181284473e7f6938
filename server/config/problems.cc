#include "server/config/problems.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "runtime/switch/abseil_text.h"
#include "server/config/plain_text.h"
#include "server/refusal.h"

namespace grove::config {
namespace {

// Beyond, they are only counted: a file of a megabyte may hold half a million.
constexpr size_t kKeptMax = 1'000;
// Of what a reference holds: a shorter value is no secret, and would be found in any sentence.
constexpr size_t kMaskedBytesMin = 4;

// "tenants[0].queues" of "tenants[0].queues[1]"; empty for a key of the top.
std::string_view Around(std::string_view key) {
  const size_t end = key.find_last_of(".[");
  return end == std::string_view::npos ? "" : key.substr(0, end);
}

bool IsWithin(std::string_view key, std::string_view section) {
  return section.empty() ||
         (key.starts_with(section) && (key.size() == section.size() || key[section.size()] == '.' ||
                                       key[section.size()] == '['));
}

using Keys = std::set<std::string, std::less<>>;

bool IsAnyWithin(const Keys& keys, std::string_view section) {
  for (auto it = keys.lower_bound(section); it != keys.end() && it->starts_with(section); ++it) {
    if (IsWithin(*it, section)) return true;
  }
  return false;
}

// Of the places.
template <typename Problem>
std::vector<Problem> InOrder(std::vector<Problem> problems) {
  std::stable_sort(problems.begin(), problems.end(), [](const Problem& a, const Problem& b) {
    return std::tie(a.place.file, a.place.line, a.place.column) <
           std::tie(b.place.file, b.place.line, b.place.column);
  });
  return problems;
}

bool IsKey(std::string_view text) {
  return !text.empty() && text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.[]-") ==
                              std::string_view::npos;
}

}  // namespace

int Sources::AddFile(const std::string& path) {
  files_.push_back(path);
  return static_cast<int>(files_.size()) - 1;
}

const Place* Sources::Find(const std::string& key) const {
  const auto found = places_.find(key);
  return found == places_.end() ? nullptr : &found->second;
}

Place Sources::Nearest(std::string_view key) const {
  for (; !key.empty(); key = Around(key)) {
    if (const Place* place = Find(std::string(key)); place != nullptr) return *place;
  }
  return {};
}

std::string Sources::Text(const Place& place) const {
  if (place.file < 0) return "";
  const std::string& file = files_[place.file];
  return place.line <= 0 ? file : StrCat(file, ":", place.line, ":", place.column);
}

std::map<std::string, std::string> Sources::References() const {
  std::map<std::string, std::string> texts;
  for (const auto& [key, reference] : references_) texts.emplace(key, reference.text);
  return texts;
}

std::string Sources::Masked(std::string_view key, std::string text) const {
  for (auto it = references_.lower_bound(std::string(key)); it != references_.end(); ++it) {
    const auto& [at, reference] = *it;
    if (!at.starts_with(key)) break;
    if (!IsWithin(at, key) || reference.value.size() < kMaskedBytesMin) continue;
    text = absl::StrReplaceAll(text, {{reference.value, reference.text}});
  }
  return text;
}

bool Problems::Follows(std::string_view key) const {
  if (broken_.contains("")) return true;
  for (std::string_view at = key; !at.empty(); at = Around(at)) {
    if (broken_.contains(at)) return true;
  }
  return IsAnyWithin(broken_, key);
}

void Problems::Keep(Problem problem) {
  ++count_;
  if (problems_.size() < kKeptMax) problems_.push_back(std::move(problem));
}

void Problems::AddAt(const Place& place, std::string_view key, std::string_view what) {
  broken_.emplace(key);
  Keep({place, std::string(key), std::string(what)});
}

void Problems::AddAt(const Place& place, std::string_view key, const absl::Status& status) {
  broken_.emplace(key);
  Keep({place, std::string(key), std::string(status.message()), status.code()});
}

void Problems::Add(std::string_view key, std::string_view what) {
  const bool is_flag = key.starts_with("--");
  if (!is_flag && (Follows(key) || IsAnyWithin(reported_, key))) return;
  reported_.emplace(key);
  Keep({sources_.Nearest(key), std::string(key), sources_.Masked(key, StrCat(key, ": ", what))});
}

void Problems::Add(const absl::Status& status) {
  if (status.ok()) return;
  const std::string message(status.message());
  const size_t colon = message.find(": ");
  const std::string_view key = std::string_view(message).substr(0, std::min(colon, message.size()));
  if (colon != std::string::npos && IsKey(key)) {
    return Add(key, std::string_view(message).substr(colon + 2));
  }
  Keep({{}, "", message, status.code()});
}

void Problems::Warn(std::string_view key, std::string_view what) {
  if (Follows(key) || warnings_.size() >= kKeptMax) return;
  warnings_.push_back(
      {sources_.Nearest(key), std::string(key), sources_.Masked(key, StrCat(key, ": ", what))});
}

std::string Problems::Where(const std::string& key) const {
  const std::string text = sources_.Text(sources_.Nearest(key));
  return text.empty() ? key : text;
}

std::string Problems::LineOf(const Problem& problem) const {
  const std::string place = sources_.Text(problem.place);
  // A file says what it likes, and so does its name.
  return CutMiddle(AsPlainText(place.empty() ? problem.text : StrCat(place, ": ", problem.text)),
                   kProblemBytesMax);
}

absl::Status Problems::ToStatus() const {
  if (empty()) return absl::OkStatus();
  std::vector<std::string> lines;
  std::vector<FieldProblem> fields;
  size_t bytes = 0;
  for (const Problem& problem : InOrder(problems_)) {
    std::string line = LineOf(problem);
    bytes += line.size() + 1;
    if (lines.size() == kProblemsShownMax || bytes > kProblemsShownBytesMax) break;
    fields.push_back({Cut(AsPlainText(problem.key)), line});
    lines.push_back(std::move(line));
  }
  const int64_t more = count_ - static_cast<int64_t>(lines.size());
  if (more > 0) lines.push_back(StrCat("and ", more, " more"));
  if (count_ > 1) lines.push_back(StrCat(count_, " errors"));
  const absl::StatusCode code =
      count_ == 1 ? problems_.front().code : absl::StatusCode::kInvalidArgument;
  return WithFieldProblems(
      WithReason(absl::Status(code, absl::StrJoin(lines, "\n")), "CONFIG_INVALID"), fields);
}

std::vector<std::string> Problems::Warnings() const {
  std::vector<std::string> lines;
  for (const Problem& warning : InOrder(warnings_)) {
    if (lines.size() == kProblemsShownMax) break;
    lines.push_back(LineOf(warning));
  }
  return lines;
}

}  // namespace grove::config
