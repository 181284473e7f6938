#include "client/cli/line_editor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cwchar>
#include <filesystem>
#include <system_error>
#include <utility>

namespace grove::client::cli {
namespace {

constexpr int kHistoryLines = 1000;

constexpr char kCtrlC = 3;
constexpr char kCtrlD = 4;

}  // namespace

std::string HistoryPath(const std::string& xdg_state_home, const std::string& home) {
  const char kFile[] = "/grove/backdoor_history";
  if (xdg_state_home.starts_with("/")) return xdg_state_home + kFile;
  return home.starts_with("/") ? home + "/.local/state" + kFile : "";
}

LineEditor::LineEditor(std::string history_path)
    : history_path_(std::move(history_path)),
      edit_(el_init("grovectl", stdin, stdout, stderr)),
      history_(history_init()) {
  std::setlocale(LC_CTYPE, "");
  HistEvent event;
  history(history_, &event, H_SETSIZE, kHistoryLines);
  history(history_, &event, H_SETUNIQUE, 1);
  if (!history_path_.empty()) history(history_, &event, H_LOAD, history_path_.c_str());
  el_set(edit_, EL_CLIENTDATA, this);
  el_set(edit_, EL_PROMPT, &LineEditor::Prompt);
  el_set(edit_, EL_EDITOR, "emacs");
  el_set(edit_, EL_HIST, history, history_);
  el_set(edit_, EL_GETCFN, &LineEditor::NextCharacter);
  el_set(edit_, EL_BIND, "^R", "em-inc-search-prev", nullptr);
  el_source(edit_, nullptr);
}

LineEditor::~LineEditor() {
  history_end(history_);
  el_end(edit_);
}

char* LineEditor::Prompt(EditLine* edit) {
  LineEditor* self = nullptr;
  el_get(edit, EL_CLIENTDATA, &self);
  return self->prompt_.data();
}

bool LineEditor::AwaitByte() {
  while (true) {
    pollfd fds[3] = {
        {STDIN_FILENO, POLLIN, 0}, {interrupt_fd_, POLLIN, 0}, {watch_->fd, POLLIN, 0}};
    if (poll(fds, 3, -1) < 0) {
      if (errno == EINTR) continue;
      end_ = End::kEndOfInput;
      return false;
    }
    if (fds[1].revents != 0) {
      end_ = End::kInterrupted;
      return false;
    }
    if (fds[2].revents != 0 && watch_->on_ready()) {
      end_ = End::kWatched;
      return false;
    }
    if (fds[0].revents != 0) return true;
  }
}

// As libedit asks: 1 for a character, 0 at the end, -1 to give the line up.
int LineEditor::NextCharacter(EditLine* edit, wchar_t* character) {
  LineEditor* self = nullptr;
  el_get(edit, EL_CLIENTDATA, &self);
  std::mbstate_t state = {};
  while (true) {
    if (!self->AwaitByte()) return -1;
    char byte = 0;
    const ssize_t count = read(STDIN_FILENO, &byte, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return 0;
    if (byte == kCtrlC) {
      self->end_ = End::kInterrupted;
      return -1;
    }
    // The kernel hands out so a Ctrl-D that was typed before the terminal left its line mode.
    if (byte == '\0') byte = kCtrlD;
    const size_t used = std::mbrtowc(character, &byte, 1, &state);
    if (used == static_cast<size_t>(-2)) continue;
    // No character of this locale.
    if (used == static_cast<size_t>(-1)) *character = L'?';
    return 1;
  }
}

LineEditor::Reading LineEditor::Read(const std::string& prompt, int interrupt_fd,
                                     const Watch& watch) {
  prompt_ = prompt;
  interrupt_fd_ = interrupt_fd;
  watch_ = &watch;
  end_ = End::kLine;
  int count = 0;
  const char* const line = el_gets(edit_, &count);
  if (line == nullptr || count <= 0 || end_ != End::kLine) {
    return {end_ == End::kLine ? End::kEndOfInput : end_, ""};
  }
  std::string text(line);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return {End::kLine, std::move(text)};
}

void LineEditor::Remember(const std::string& line) {
  if (line.find_first_not_of(" \t") == std::string::npos) return;
  HistEvent event;
  history(history_, &event, H_ENTER, line.c_str());
  if (history_path_.empty()) return;
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(history_path_).parent_path(), error);
  // libedit opens it with whatever the umask leaves.
  const int fd = open(history_path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return;
  fchmod(fd, 0600);
  close(fd);
  history(history_, &event, H_SAVE, history_path_.c_str());
}

}  // namespace grove::client::cli
