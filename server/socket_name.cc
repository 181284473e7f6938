#include "server/socket_name.h"

#include <sys/stat.h>
#include <unistd.h>

#include <utility>

namespace grove {

SocketName SocketName::Of(std::string path) {
  struct stat found {};
  const bool there = lstat(path.c_str(), &found) == 0 && S_ISSOCK(found.st_mode);
  return {std::move(path), there ? found.st_ino : 0};
}

void SocketName::Remove() const {
  if (inode != 0 && !path.empty() && Stands()) unlink(path.c_str());
}

}  // namespace grove
