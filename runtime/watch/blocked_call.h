// BlockedCall: the system call that a thread of this process sits in.
//
// From /proc/self/task/TID/syscall and wchan (proc(5)), which some containers and kernels do not
// have: then it says that it does not know. Any thread; blocks for as long as procfs takes.
#ifndef GROVE_RUNTIME_WATCH_BLOCKED_CALL_H_
#define GROVE_RUNTIME_WATCH_BLOCKED_CALL_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace grove {

struct BlockedCall {
  enum class State : uint8_t { kUnknown, kComputes, kInCall };

  State state = State::kUnknown;
  long number = -1;          // kInCall: the system call's
  std::string name;          // "read"; "syscall 451" if it has no name here
  int fd = -1;               // of a call whose first argument is a descriptor, else -1
  std::string fd_target;     // what it is: "pipe:[4711]", "/var/lib/x"; may be empty
  std::string wait_channel;  // kernel function it sleeps in; often empty, as a privilege is needed

  // "read(fd 7 pipe:[4711])", "computes", "unknown".
  std::string ToString() const;
};

BlockedCall ReadBlockedCall(pid_t thread);

// The first part of that, from the text of the `syscall` file. Pure.
BlockedCall ParseBlockedCall(std::string_view line);

}  // namespace grove

#endif  // GROVE_RUNTIME_WATCH_BLOCKED_CALL_H_
