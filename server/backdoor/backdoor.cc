#include "server/backdoor/backdoor.h"

#include <unistd.h>

#include <memory>

#include "absl/strings/str_format.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/buffered_reader.h"
#include "runtime/switch/abseil_text.h"
#include "server/backdoor/lua_session.h"

namespace grove::backdoor {
namespace {

constexpr absl::Duration kWriteTimeout = absl::Seconds(30);

// The next line, without its end (LF or CRLF); a line without end at the end of the stream counts.
// kOutOfRange: the stream has ended; kResourceExhausted: the line is longer than
// kBackdoorChunkMaxBytes. **Parks.**
absl::StatusOr<std::string> NextLine(BufferedReader& reader, absl::Duration idle_timeout) {
  Timeout idle(idle_timeout);
  absl::StatusOr<std::string> line = reader.ReadLine(kBackdoorChunkMaxBytes + 1);
  if (absl::IsResourceExhausted(line.status())) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("the line is longer than %d bytes", kBackdoorChunkMaxBytes));
  }
  const bool without_end = absl::IsUnavailable(line.status()) && reader.buffered() > 0;
  return without_end ? reader.ReadExactly(reader.buffered()) : line;
}

absl::Status Write(Socket& socket, std::string_view text) {
  Timeout timeout(kWriteTimeout);
  return socket.Write(text);
}

std::string Banner(const BackdoorEnvironment& environment) {
  return absl::StrFormat("grove%s, pid %d. Lua 5.4, read-only; help() tells what there is.\n",
                         environment.worker ? StrCat(" worker ", *environment.worker) : "",
                         getpid());
}

// One line of input: what to print, prompt included.
class Prompt {
 public:
  explicit Prompt(LuaSession& session) : session_(session) {}

  std::string Answer(const std::string& line) {
    StrAppend(&chunk_, chunk_.empty() ? "" : "\n", line);
    if (chunk_.size() > kBackdoorChunkMaxBytes) {
      chunk_.clear();
      return absl::StrFormat("error: more than %d bytes in one statement\n> ",
                             kBackdoorChunkMaxBytes);
    }
    if (session_.Evaluate(chunk_) == LuaSession::Outcome::kIncomplete) return ">> ";
    chunk_.clear();
    return StrCat(session_.output(), session_.quit() ? "" : "> ");
  }

 private:
  LuaSession& session_;
  std::string chunk_;
};

}  // namespace

void ServeBackdoor(Socket socket, const BackdoorLimits& limits,
                   const BackdoorEnvironment& environment) {
  const absl::StatusOr<std::unique_ptr<LuaSession>> session =
      LuaSession::Create(limits, environment);
  if (!session.ok()) {
    Write(socket, StrCat("error: ", session.status().message(), "\n")).IgnoreError();
    return;
  }
  BufferedReader reader(socket);
  Prompt prompt(**session);
  absl::Status written = Write(socket, Banner(environment) + "> ");
  while (written.ok() && !(*session)->quit()) {
    const absl::StatusOr<std::string> line = NextLine(reader, limits.idle_timeout);
    if (!line.ok()) {
      const bool ended = line.status().code() == absl::StatusCode::kOutOfRange;
      const bool idle = line.status().code() == absl::StatusCode::kDeadlineExceeded;
      const std::string why = idle ? StrCat("idle for ", absl::FormatDuration(limits.idle_timeout))
                                   : std::string(line.status().message());
      Write(socket, ended ? "\n" : StrCat("\nerror: ", why, "\n")).IgnoreError();
      return;
    }
    if (environment.audit) environment.audit(*line);
    written = Write(socket, prompt.Answer(*line));
  }
}

}  // namespace grove::backdoor
