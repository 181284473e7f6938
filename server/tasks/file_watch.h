// FileWatch: did anybody take the database's files away while it was open?
//
// SQLite holds the files open and writes on into what has no name any more. Compares what lies
// under the names with what was there when the store last looked. Three stat(2) a look; one thread
// at a time.
#ifndef GROVE_SERVER_TASKS_FILE_WATCH_H_
#define GROVE_SERVER_TASKS_FILE_WATCH_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>

namespace grove::tasks {

class FileWatch {
 public:
  enum class Finding {
    kFine,
    // No file of the database's name, or another one.
    kDatabaseGone,
    kDatabaseReplaced,
    // The write-ahead log or its index is missing or another one.
    kLogGone,
    // Shorter than SQLite left it.
    kDatabaseCut,
    kLogCut,
  };

  explicit FileWatch(std::string path) : path_(std::move(path)) {}

  // Takes the files for the right ones: after the database was opened.
  void Adopt();
  // Takes their sizes for the right ones: after every write of our own.
  void NoteSizes();
  Finding Look() const;

 private:
  struct File {
    bool exists = false;
    dev_t device = 0;
    ino_t inode = 0;
    int64_t bytes = 0;

    bool IsSameAs(const File& other) const {
      return exists == other.exists && device == other.device && inode == other.inode;
    }
  };
  static File Inspect(const std::string& path);

  const std::string path_;
  File database_;
  File log_;
  File index_;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_FILE_WATCH_H_
