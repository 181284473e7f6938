#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "client/cli/backdoor_talk.h"
#include "client/cli/command.h"
#include "client/cli/error_line.h"
#include "client/cli/inputs.h"
#include "client/cli/interrupt.h"
#include "client/cli/line_editor.h"
#include "client/cli/names.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::cli {
namespace {

constexpr size_t kLineBytesMax = 1024 * 1024;

// How long a worker may take to answer a line, without --timeout.
constexpr absl::Duration kAnswerTimeout = absl::Seconds(30);

// Whatever is still under way then is of no interest.
constexpr absl::Duration kCloseTimeout = absl::Seconds(5);

absl::Duration AnswerTimeout(const Command& command) {
  return command.wait_timeout == absl::InfiniteDuration() ? kAnswerTimeout : command.wait_timeout;
}

// Why a session is over after `line`, which may have asked for that.
absl::Status EndAfter(const std::string& line) {
  const bool asked = line.find("quit") != std::string::npos;
  return asked ? absl::OkStatus() : PlainError("the worker ended the session");
}

// A line of a script: what it prints, and how it fails.
class Script {
 public:
  Script(Command& command, BackdoorTalk& talk) : command_(command), talk_(talk) {}

  // The error of the line itself goes to `error`. False: the session is over.
  absl::StatusOr<bool> Run(const std::string& line, std::string& error) {
    talk_.Send(line);
    absl::StatusOr<BackdoorAnswer> answer = talk_.Next(AnswerTimeout(command_), -1);
    if (!answer.ok()) return answer.status();
    const BackdoorResult result = SplitError(answer->text);
    command_.shell.out << result.text << std::flush;
    error = result.error;
    incomplete_ = answer->incomplete;
    return !answer->ended;
  }

  absl::Status CheckComplete() const {
    return incomplete_ ? PlainError("the last statement is not complete") : absl::OkStatus();
  }

 private:
  Command& command_;
  BackdoorTalk& talk_;
  bool incomplete_ = false;
};

// Up to the first error.
absl::Status RunText(Command& command, BackdoorTalk& talk, const std::string& text) {
  Script script(command, talk);
  for (const auto line : absl::StrSplit(text, '\n')) {
    std::string error;
    absl::StatusOr<bool> goes_on = script.Run(std::string(line), error);
    if (!goes_on.ok()) return goes_on.status();
    if (!error.empty()) return PlainError(error);
    if (!*goes_on) return EndAfter(std::string(line));
  }
  return script.CheckComplete();
}

// All lines, whatever their errors.
absl::Status RunInput(Command& command, BackdoorTalk& talk) {
  LineReader lines(command.shell.in_fd, LineReader::Ownership::kBorrowed, talk.fd(), kLineBytesMax);
  Script script(command, talk);
  size_t failed = 0;
  for (bool goes_on = true; goes_on;) {
    auto line = lines.Next();
    // There was news without a question: the session is over, or soon.
    if (absl::IsCancelled(line.status())) {
      if (!talk.Poll()) continue;
      const absl::Status why = talk.Next(absl::ZeroDuration(), -1).status();
      return why.ok() ? EndAfter("") : why;
    }
    if (!line.ok()) return line.status();
    if (!*line || (*line)->text == "quit") break;
    std::string error;
    absl::StatusOr<bool> more = script.Run((*line)->text, error);
    if (!more.ok()) return more.status();
    goes_on = *more;
    if (!goes_on && error.empty()) return EndAfter((*line)->text);
    if (error.empty()) continue;
    ++failed;
    command.shell.err << ErrorLine(StrCat("backdoor: line ", (*line)->number), PlainError(error),
                                   command.address)
                      << std::endl;
  }
  if (failed > 0) return PlainError(StrCat(failed, failed == 1 ? " line" : " lines", " failed"));
  return script.CheckComplete();
}

// A person at a terminal.
class Conversation {
 public:
  Conversation(Command& command, BackdoorTalk& talk)
      : command_(command),
        talk_(talk),
        editor_(HistoryPath(command.shell.environment("XDG_STATE_HOME").value_or(""),
                            command.shell.environment("HOME").value_or(""))) {}

  absl::Status Run(const std::string& banner) {
    command_.shell.out << banner << std::flush;
    const LineEditor::Watch watch{talk_.fd(), [this] { return talk_.Poll(); }};
    while (true) {
      const LineEditor::Reading reading = editor_.Read(prompt_, interrupt_.fd(), watch);
      switch (reading.end) {
        case LineEditor::End::kInterrupted:
          DropLine();
          continue;
        case LineEditor::End::kEndOfInput:
          command_.shell.out << std::endl;
          return absl::OkStatus();
        case LineEditor::End::kWatched:
          command_.shell.out << "\n";
          return Ended();
        case LineEditor::End::kLine:
          break;
      }
      if (reading.line == "quit" && prompt_ == kPrompt) return absl::OkStatus();
      editor_.Remember(reading.line);
      talk_.Send(reading.line);
      absl::StatusOr<bool> goes_on = ShowAnswer();
      if (!goes_on.ok()) return goes_on.status();
      if (!*goes_on) return EndAfter(reading.line);
    }
  }

 private:
  static constexpr char kPrompt[] = "> ";
  static constexpr char kGoesOn[] = ">> ";

  // The line, and the statement it was to go on with.
  void DropLine() {
    interrupt_.Take();
    command_.shell.out << "^C" << std::endl;
    if (prompt_ == kGoesOn) talk_.Abandon();
    prompt_ = kPrompt;
  }

  // False: the session is over.
  absl::StatusOr<bool> ShowAnswer() {
    absl::StatusOr<BackdoorAnswer> answer = talk_.Next(absl::InfiniteDuration(), interrupt_.fd());
    if (absl::IsCancelled(answer.status()) && interrupt_.Take()) {
      // The worker goes on until its budget is spent; what it then says is dropped.
      talk_.Abandon();
      command_.shell.out << std::endl;
      prompt_ = kPrompt;
      return true;
    }
    if (!answer.ok()) return answer.status();
    command_.shell.out << answer->text << std::flush;
    prompt_ = answer->incomplete ? kGoesOn : kPrompt;
    return !answer->ended;
  }

  absl::Status Ended() {
    absl::StatusOr<BackdoorAnswer> rest = talk_.Next(absl::ZeroDuration(), -1);
    if (!rest.ok()) return rest.status();
    command_.shell.out << rest->text << std::flush;
    return EndAfter("");
  }

  Command& command_;
  BackdoorTalk& talk_;
  Interrupt interrupt_;
  LineEditor editor_;
  std::string prompt_ = kPrompt;
};

}  // namespace

absl::Status RunBackdoor(Command& command) {
  const auto typed = command.arguments.Value("worker");
  if (!typed) return UsageError("--worker is required; \"grovectl workers\" lists them");
  auto worker = WorkerName(*typed);
  if (!worker.ok()) return worker.status();
  const auto session = command.client->OpenBackdoor(*worker);
  BackdoorTalk talk(*session);
  absl::StatusOr<BackdoorAnswer> banner = talk.Next(AnswerTimeout(command), -1);
  if (!banner.ok()) return banner.status();
  absl::Status status;
  if (banner->ended) {
    status = PlainError(SplitError(banner->text).error);
  } else if (const auto text = command.arguments.Value("command")) {
    status = RunText(command, talk, *text);
  } else if (command.shell.in_is_terminal && command.shell.out_is_terminal) {
    status = Conversation(command, talk).Run(banner->text);
  } else {
    status = RunInput(command, talk);
  }
  talk.Close(kCloseTimeout);
  return status;
}

}  // namespace grove::client::cli
