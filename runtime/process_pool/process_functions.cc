#include "runtime/process_pool/process_functions.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <utility>

#include "runtime/switch/abseil_text.h"

namespace grove {
namespace {

// False at the end of the stream.
bool ReadAll(int fd, char* bytes, size_t count) {
  while (count > 0) {
    const ssize_t got = read(fd, bytes, count);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    bytes += got;
    count -= static_cast<size_t>(got);
  }
  return true;
}

bool WriteAll(int fd, const char* bytes, size_t count) {
  while (count > 0) {
    const ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes += sent;
    count -= static_cast<size_t>(sent);
  }
  return true;
}

bool IsSocket(int fd) {
  int type = 0;
  socklen_t bytes = sizeof(type);
  return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) == 0;
}

}  // namespace

void ProcessFunctions::Add(std::string name, Function function) {
  if (functions_.contains(name)) {
    fprintf(stderr, "two functions of this process are named %s\n", name.c_str());
    abort();
  }
  functions_.emplace(std::move(name), std::move(function));
}

absl::StatusOr<std::string> ProcessFunctions::Call(const std::string& function,
                                                   std::string_view request) const {
  const auto found = functions_.find(function);
  if (found == functions_.end()) {
    return absl::NotFoundError(StrCat("this process has no function \"", function, "\""));
  }
  try {
    return found->second(request);
  } catch (const std::exception& exception) {
    return absl::UnknownError(exception.what());
  } catch (...) {
    return absl::UnknownError("an exception that is no std::exception");
  }
}

int ProcessFunctions::Serve(int channel) {
  if (!IsSocket(channel)) {
    fprintf(stderr, "this program is started by a grove::ProcessPool, not by hand\n");
    return 2;
  }
  // What a function starts must not hold the parent's end open; nor may a call outlive the parent.
  fcntl(channel, F_SETFD, FD_CLOEXEC);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  ProcessRequestHead head;
  while (ReadAll(channel, reinterpret_cast<char*>(&head), sizeof(head))) {
    std::string function(head.function_bytes, '\0');
    std::string request(head.request_bytes, '\0');
    if (!ReadAll(channel, function.data(), function.size())) break;
    if (!ReadAll(channel, request.data(), request.size())) break;
    const absl::StatusOr<std::string> answer = Call(function, request);
    const std::string_view reply =
        answer.ok() ? std::string_view(*answer) : Std(answer.status().message());
    const ProcessReplyHead reply_head{static_cast<uint32_t>(answer.status().code()),
                                      static_cast<uint32_t>(reply.size())};
    if (!WriteAll(channel, reinterpret_cast<const char*>(&reply_head), sizeof(reply_head))) break;
    if (!WriteAll(channel, reply.data(), reply.size())) break;
  }
  return 0;
}

}  // namespace grove
