// SocketPath: where the worker of a slot hears the others' messages.
#ifndef GROVE_SERVER_TOPICS_SOCKET_PATH_H_
#define GROVE_SERVER_TOPICS_SOCKET_PATH_H_

#include <string>

namespace grove::topics {

inline std::string SocketPath(const std::string& folder, int slot) {
  return folder + "/worker-" + std::to_string(slot) + ".topics";
}

}  // namespace grove::topics

#endif  // GROVE_SERVER_TOPICS_SOCKET_PATH_H_
