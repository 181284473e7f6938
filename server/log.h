// Log: one line per event on stderr, as text or JSON.
//
//   2026-11-21T08:15:30.123456Z info worker-0 "worker ready" pid=4711 fibers=5
//
// Log() never waits for whoever reads: lines that are not taken wait in a queue, and beyond its
// bound are dropped and counted (log_sink.h). Lines of several processes do not mix. Values are
// quoted where they need it; control characters are escaped. Any thread.
#ifndef GROVE_SERVER_LOG_H_
#define GROVE_SERVER_LOG_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

namespace grove {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
enum class LogFormat { kText, kJson };

// Any kind of string: the distribution's abseil has a string_view of its own.
struct LogText {
  LogText(const char* text) : text(text) {}
  template <typename T>
  LogText(const T& string) : text(string.data(), string.size()) {}
  std::string_view text;
};

struct LogField {
  template <typename T>
  LogField(std::string_view key, const T& value) : key(key) {
    if constexpr (requires { value.data() + value.size(); }) {
      this->value = LogText(value).text;
    } else {
      this->value = absl::StrCat(value);
    }
  }
  std::string_view key;
  std::string value;
};

// For the whole process ("groved", "worker-0", "grove-control"); call before threads start.
void SetUpLog(std::string process, LogFormat format, LogLevel lowest);

// What is below is not logged from now on. Any thread; forked processes inherit it.
void SetLogLevel(LogLevel lowest);

// In a forked process: the same log under its own name, without what its parent had not written.
void RenameLog(std::string process);

// From now on a thread of its own writes; not before the last fork.
void StartLogThread();
// At the end of a process: waits for what is left to be taken, as long as kLogPatience.
inline constexpr absl::Duration kLogPatience = absl::Seconds(1);
void FlushLog();

// Without the thread, for a loop that polls: the descriptor that must be writable before
// DrainLog() gets on; -1: no line waits.
int LogWaitsFor();
void DrainLog();

// Since the process began.
uint64_t LogLinesDropped();

void Log(LogLevel level, LogText message, std::initializer_list<LogField> fields = {});

// With fields that were gathered.
void LogWith(LogLevel level, LogText message, absl::Span<const LogField> fields);
// Whether such a line would be written.
bool IsLogged(LogLevel level);

// Pure.
std::string FormatLogLine(LogFormat format, absl::Time time, LogLevel level,
                          std::string_view process, std::string_view message,
                          absl::Span<const LogField> fields);

}  // namespace grove

#endif  // GROVE_SERVER_LOG_H_
