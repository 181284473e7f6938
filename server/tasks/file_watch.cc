#include "server/tasks/file_watch.h"

#include <sys/stat.h>

namespace grove::tasks {

FileWatch::File FileWatch::Inspect(const std::string& path) {
  struct stat file = {};
  if (stat(path.c_str(), &file) != 0) return {};
  return {.exists = true, .device = file.st_dev, .inode = file.st_ino, .bytes = file.st_size};
}

void FileWatch::Adopt() {
  database_ = Inspect(path_);
  log_ = Inspect(path_ + "-wal");
  index_ = Inspect(path_ + "-shm");
}

void FileWatch::NoteSizes() {
  const File database = Inspect(path_);
  const File log = Inspect(path_ + "-wal");
  if (database.IsSameAs(database_)) database_.bytes = database.bytes;
  if (log.IsSameAs(log_)) log_.bytes = log.bytes;
}

FileWatch::Finding FileWatch::Look() const {
  const File database = Inspect(path_);
  if (!database.exists) return Finding::kDatabaseGone;
  if (!database.IsSameAs(database_)) return Finding::kDatabaseReplaced;
  if (database.bytes < database_.bytes) return Finding::kDatabaseCut;
  const File log = Inspect(path_ + "-wal");
  if (!log.IsSameAs(log_) || !Inspect(path_ + "-shm").IsSameAs(index_)) return Finding::kLogGone;
  return log.bytes < log_.bytes ? Finding::kLogCut : Finding::kFine;
}

}  // namespace grove::tasks
