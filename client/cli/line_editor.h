// LineEditor: lines that a person types at a terminal, edited and remembered.
//
// On libedit, with its keys and ~/.editrc. While somebody types, other descriptors are watched: a
// line ends by Ctrl-C, and by what is watched.

#ifndef GROVE_CLIENT_CLI_LINE_EDITOR_H_
#define GROVE_CLIENT_CLI_LINE_EDITOR_H_

#include <histedit.h>

#include <functional>
#include <string>

namespace grove::client::cli {

// $XDG_STATE_HOME/grove/backdoor_history, else below ~/.local/state; empty without either.
std::string HistoryPath(const std::string& xdg_state_home, const std::string& home);

class LineEditor {
 public:
  enum class End { kLine, kEndOfInput, kInterrupted, kWatched };
  struct Reading {
    End end = End::kLine;
    // Without its line end.
    std::string line;
  };
  struct Watch {
    int fd = -1;
    // Called when it is readable; true ends the line.
    std::function<bool()> on_ready;
  };

  // Reads `history_path`, if not empty, and keeps it for its owner alone (0600).
  explicit LineEditor(std::string history_path);
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  // Of standard input, shown on standard output. Blocks.
  Reading Read(const std::string& prompt, int interrupt_fd, const Watch& watch);

  // For the next session, too.
  void Remember(const std::string& line);

 private:
  static int NextCharacter(EditLine* edit, wchar_t* character);
  static char* Prompt(EditLine* edit);
  // False: the line ends by `end_`.
  bool AwaitByte();

  const std::string history_path_;
  EditLine* const edit_;
  History* const history_;
  // Of the reading under way.
  std::string prompt_;
  int interrupt_fd_ = -1;
  const Watch* watch_ = nullptr;
  End end_ = End::kLine;
};

}  // namespace grove::client::cli

#endif  // GROVE_CLIENT_CLI_LINE_EDITOR_H_
