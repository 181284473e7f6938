// Logger: lines of the log that say themselves for what they were written.
//
//   services.log.Info("charged", {{"order", order.id}});
//
//   2026-11-30T08:15:30.123456Z info worker-0 charged order=7 request_id=5f2c… trace_id=4bf9…
//
// To the fields that it is given it adds the id of the request, the name of the task and the trace
// that the running fiber works for, as far as there are such, but where a field of that name is
// given. Writes as Log() does (server/log.h). A value; any thread, on others than a hub's it adds
// nothing.
#ifndef GROVE_SERVER_LOGGER_H_
#define GROVE_SERVER_LOGGER_H_

#include <initializer_list>

#include "server/log.h"

namespace grove {

class Logger {
 public:
  using Fields = std::initializer_list<LogField>;

  void Debug(LogText message, Fields fields = {}) const {
    Write(LogLevel::kDebug, message, fields);
  }
  void Info(LogText message, Fields fields = {}) const { Write(LogLevel::kInfo, message, fields); }
  void Warning(LogText message, Fields fields = {}) const {
    Write(LogLevel::kWarning, message, fields);
  }
  void Error(LogText message, Fields fields = {}) const {
    Write(LogLevel::kError, message, fields);
  }

 private:
  void Write(LogLevel level, LogText message, Fields fields) const;
};

}  // namespace grove

#endif  // GROVE_SERVER_LOGGER_H_
