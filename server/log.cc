#include "server/log.h"

#include <unistd.h>

#include <atomic>
#include <mutex>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "server/log_sink.h"
#include "server/recent_lines.h"

namespace grove {
namespace {

// Longest value in a line: an error with a response body in it must not flood the log.
constexpr size_t kLogValueBytesMax = 4096;

struct LogSettings {
  std::string process = "grove";
  LogFormat format = LogFormat::kText;
};

// Replaced before threads start, read by all of them; never freed, so that late lines are safe.
LogSettings* settings = new LogSettings;

std::atomic<LogLevel> lowest_level{LogLevel::kInfo};

std::mutex recent_mutex;          // threads of this process append in turn
RecentLog* recent_log = nullptr;  // guarded by recent_mutex

void KeepRecent(absl::Time time, LogLevel level, std::string_view line) {
  const std::lock_guard lock(recent_mutex);
  if (recent_log == nullptr) return;
  recent_log->Append(absl::ToUnixMicros(time), static_cast<uint32_t>(level),
                     line.substr(0, line.size() - 1));
}

std::string TellLost(uint64_t lines) {
  return FormatLogLine(settings->format, absl::Now(), LogLevel::kWarning, settings->process,
                       "log lines were dropped: whoever reads them is too slow",
                       {{"lines", lines}});
}

LogSink& Sink() {
  static LogSink* const sink = new LogSink(STDERR_FILENO, &TellLost);
  return *sink;
}

std::string_view LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "unknown";
}

// Bytes of the UTF-8 sequence that starts `text`; 0 where there is none or where it is a C1 control
// character, which terminals obey.
size_t PrintableSequence(std::string_view text) {
  const auto byte = [&](size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned char lead = byte(0);
  const size_t length = lead >= 0xc2 && lead <= 0xdf   ? 2
                        : lead >= 0xe0 && lead <= 0xef ? 3
                        : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                       : 0;
  if (length == 0 || text.size() < length) return 0;
  for (size_t at = 1; at < length; ++at) {
    if ((byte(at) & 0xc0) != 0x80) return 0;
  }
  if (lead == 0xc2 && byte(1) < 0xa0) return 0;
  if (lead == 0xe0 && byte(1) < 0xa0) return 0;  // overlong
  if (lead == 0xed && byte(1) > 0x9f) return 0;  // surrogates
  if (lead == 0xf0 && byte(1) < 0x90) return 0;  // overlong
  if (lead == 0xf4 && byte(1) > 0x8f) return 0;  // beyond U+10FFFF
  return length;
}

// Bytes at the start of `text` that are written as they are.
size_t PlainRun(std::string_view text) {
  size_t length = 0;
  while (length < text.size() && text[length] >= ' ' && text[length] <= '~' &&
         text[length] != '"' && text[length] != '\\') {
    ++length;
  }
  return length;
}

void AppendByte(LogFormat format, unsigned char byte, std::string& line) {
  if (byte == '"' || byte == '\\') {
    line += '\\';
    line += static_cast<char>(byte);
  } else if (byte == '\n') {
    line += "\\n";
  } else if (byte == '\t') {
    line += "\\t";
  } else {
    absl::StrAppendFormat(&line, "%s%02x", format == LogFormat::kJson ? "\\u00" : "\\x", byte);
  }
}

void AppendQuoted(LogFormat format, std::string_view text, std::string& line) {
  const bool cut = text.size() > kLogValueBytesMax;
  if (cut) text = text.substr(0, kLogValueBytesMax);
  line += '"';
  for (;;) {
    const size_t plain = PlainRun(text);
    line.append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    const size_t sequence = PrintableSequence(text);
    if (sequence > 0) {
      line.append(text.substr(0, sequence));
    } else {
      AppendByte(format, static_cast<unsigned char>(text[0]), line);
    }
    text.remove_prefix(sequence > 0 ? sequence : 1);
  }
  line += cut ? "...\"" : "\"";
}

bool NeedsQuotes(std::string_view value) {
  if (value.empty() || value.size() > kLogValueBytesMax) return true;
  for (const char c : value) {
    if (c <= ' ' || c == '"' || c == '\\' || c == '=' || c > '~') return true;
  }
  return false;
}

std::string Timestamp(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", time, absl::UTCTimeZone());
}

std::string FormatText(absl::Time time, LogLevel level, std::string_view process,
                       std::string_view message, absl::Span<const LogField> fields) {
  std::string line = absl::StrFormat("%s %s %s ", Timestamp(time), LevelName(level), process);
  AppendQuoted(LogFormat::kText, message, line);
  for (const LogField& field : fields) {
    absl::StrAppendFormat(&line, " %s=", field.key);
    if (NeedsQuotes(field.value)) {
      AppendQuoted(LogFormat::kText, field.value, line);
    } else {
      line += field.value;
    }
  }
  line += '\n';
  return line;
}

std::string FormatJson(absl::Time time, LogLevel level, std::string_view process,
                       std::string_view message, absl::Span<const LogField> fields) {
  std::string line = absl::StrFormat(
      "{\"time\":\"%s\",\"level\":\"%s\",\"process\":", Timestamp(time), LevelName(level));
  AppendQuoted(LogFormat::kJson, process, line);
  line += ",\"message\":";
  AppendQuoted(LogFormat::kJson, message, line);
  for (const LogField& field : fields) {
    line += ',';
    AppendQuoted(LogFormat::kJson, field.key, line);
    line += ':';
    AppendQuoted(LogFormat::kJson, field.value, line);
  }
  line += "}\n";
  return line;
}

}  // namespace

void SetUpLog(std::string process, LogFormat format, LogLevel lowest) {
  *settings = {.process = std::move(process), .format = format};
  SetLogLevel(lowest);
}

void SetLogLevel(LogLevel lowest) {
  lowest_level.store(lowest, std::memory_order_relaxed);
}

void RenameLog(std::string process) {
  settings->process = std::move(process);
  Sink().Forget();
}

void StartLogThread() {
  Sink().Start();
}

void FlushLog() {
  Sink().Stop(kLogPatience);
}

int LogWaitsFor() {
  return Sink().WaitsFor();
}

void DrainLog() {
  Sink().Drain();
}

uint64_t LogLinesDropped() {
  return Sink().dropped();
}

std::string FormatLogLine(LogFormat format, absl::Time time, LogLevel level,
                          std::string_view process, std::string_view message,
                          absl::Span<const LogField> fields) {
  return format == LogFormat::kJson ? FormatJson(time, level, process, message, fields)
                                    : FormatText(time, level, process, message, fields);
}

KeptRecentLog::KeptRecentLog(RecentLog& recent) {
  const std::lock_guard lock(recent_mutex);
  recent_log = &recent;
}

KeptRecentLog::~KeptRecentLog() {
  const std::lock_guard lock(recent_mutex);
  recent_log = nullptr;
}

void Log(LogLevel level, LogText message, std::initializer_list<LogField> fields) {
  LogWith(level, message, fields);
}

bool IsLogged(LogLevel level) {
  return level >= lowest_level.load(std::memory_order_relaxed);
}

void LogWith(LogLevel level, LogText message, absl::Span<const LogField> fields) {
  if (!IsLogged(level)) return;
  const absl::Time now = absl::Now();
  const std::string line =
      FormatLogLine(settings->format, now, level, settings->process, message.text, fields);
  KeepRecent(now, level, line);
  Sink().Append(line);
}

}  // namespace grove
