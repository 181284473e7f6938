// DescribeEnd, DescribeState: what the kernel says of a child, as text for the log.
#ifndef GROVE_SERVER_SUPERVISOR_PROCESS_FACTS_H_
#define GROVE_SERVER_SUPERVISOR_PROCESS_FACTS_H_

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace grove::supervisor {

// Of waitpid(2)'s status: "exit code 1", "signal 9 (Killed)".
std::string DescribeEnd(int wait_status);

// How many processes of this cgroup, and of those within it, the kernel has killed for memory; 0
// where it does not say.
int64_t OutOfMemoryKills();

// Whether it computes, waits or was stopped, as /proc has it: "T (stopped)". "gone": it is.
std::string DescribeState(pid_t pid);

}  // namespace grove::supervisor

#endif  // GROVE_SERVER_SUPERVISOR_PROCESS_FACTS_H_
