// ProcessTitle: the name under which ps(1) and top(1) show a process.
//
// Moves the environment aside at the start, so that a forked child has room to write its name where
// the kernel looks for the command line.
#ifndef GROVE_SERVER_PROCESS_PROCESS_TITLE_H_
#define GROVE_SERVER_PROCESS_PROCESS_TITLE_H_

#include <cstddef>
#include <string_view>

namespace grove::process {

class ProcessTitle {
 public:
  // Before anything keeps a pointer into the environment. `argv` must be main()'s.
  ProcessTitle(int argc, char** argv);
  ProcessTitle(const ProcessTitle&) = delete;
  ProcessTitle& operator=(const ProcessTitle&) = delete;

  // Overwrites argv: nothing may read it after. The kernel's short name keeps 15 bytes.
  void Set(std::string_view title);

 private:
  char* const area_;
  size_t arguments_bytes_ = 0;
  size_t area_bytes_ = 0;  // arguments and what follows them without a gap
};

}  // namespace grove::process

#endif  // GROVE_SERVER_PROCESS_PROCESS_TITLE_H_
