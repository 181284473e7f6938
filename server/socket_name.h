// SocketName: a UNIX socket's name in the file system, as it was bound.
//
// Others may remove a name, or bind another socket in its place: the inode tells them apart. Pure
// but for looking at the file.
#ifndef GROVE_SERVER_SOCKET_NAME_H_
#define GROVE_SERVER_SOCKET_NAME_H_

#include <sys/types.h>

#include <string>

namespace grove {

struct SocketName {
  std::string path;  // empty: the socket has no name
  ino_t inode = 0;   // 0: there was no socket

  // What stands at `path` now.
  static SocketName Of(std::string path);
  // True also of a socket without a name.
  bool Stands() const { return path.empty() || Of(path).inode == inode; }
  // From the file system, unless another one stands there.
  void Remove() const;
};

}  // namespace grove

#endif  // GROVE_SERVER_SOCKET_NAME_H_
