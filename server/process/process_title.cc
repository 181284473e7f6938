#include "server/process/process_title.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

namespace grove::process {

ProcessTitle::ProcessTitle(int argc, char** argv) : area_(argv[0]) {
  char* end = area_;
  for (int index = 0; index < argc && argv[index] == end; ++index) end += strlen(end) + 1;
  arguments_bytes_ = end - area_;
  size_t variables = 0;
  for (; environ[variables] != nullptr; ++variables) {
    if (environ[variables] == end) end += strlen(end) + 1;
  }
  area_bytes_ = end - area_;
  // Lives as long as the process.
  char** copy = new char*[variables + 1];
  for (size_t index = 0; index < variables; ++index) copy[index] = strdup(environ[index]);
  copy[variables] = nullptr;
  environ = copy;
}

void ProcessTitle::Set(std::string_view title) {
  const std::string name(title.substr(0, 15));
  prctl(PR_SET_NAME, name.c_str(), 0, 0, 0);
  if (area_bytes_ < 2 || arguments_bytes_ == 0) return;
  memset(area_, 0, area_bytes_);
  const size_t shown = std::min(title.size(), area_bytes_ - 1);
  memcpy(area_, title.data(), shown);
  // A byte other than NUL at the end of the arguments tells the kernel that this is a title, which
  // ends at the first NUL (fs/proc/base.c, get_mm_proctitle).
  if (shown + 1 < arguments_bytes_) area_[arguments_bytes_ - 1] = '.';
}

}  // namespace grove::process
