#include "client/cli/progress.h"

#include "client/cli/text.h"

namespace grove::client::cli {
namespace {

// Of a terminal that does not tell.
constexpr size_t kColumns = 80;

}  // namespace

void Progress::Show(const std::string& text) {
  if (!shown()) return;
  const std::string line = Cut(Escape(text), shell_.columns.value_or(kColumns) - 1);
  if (line == drawn_) return;
  shell_.err << "\r\033[K" << line << std::flush;
  drawn_ = line;
}

void Progress::Notice(const std::string& text) {
  Clear();
  shell_.err << Escape(text) << std::endl;
}

void Progress::Clear() {
  if (drawn_.empty()) return;
  shell_.err << "\r\033[K" << std::flush;
  drawn_.clear();
}

}  // namespace grove::client::cli
