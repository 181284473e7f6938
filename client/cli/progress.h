// Progress: one line of a terminal, drawn anew as something goes on.
//
// Says nothing where standard error is no terminal, but for notices.

#ifndef GROVE_CLIENT_CLI_PROGRESS_H_
#define GROVE_CLIENT_CLI_PROGRESS_H_

#include <string>

#include "client/cli/command.h"

namespace grove::client::cli {

class Progress {
 public:
  explicit Progress(Shell& shell) : shell_(shell) {}
  // Leaves no trace of the line.
  ~Progress() { Clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Whether anybody looks.
  bool shown() const { return shell_.err_is_terminal; }
  // Escaped, and cut to the terminal.
  void Show(const std::string& text);
  // A line that stays, on every kind of standard error.
  void Notice(const std::string& text);
  void Clear();

 private:
  Shell& shell_;
  std::string drawn_;
};

}  // namespace grove::client::cli

#endif  // GROVE_CLIENT_CLI_PROGRESS_H_
