// libc's calls that read and write: in the executable they come before libc's own.
//
// What a library was built with (_FORTIFY_SOURCE) may call the …_chk forms: their checks are made
// here, too.

// Else the headers define some of these as inline.
#undef _FORTIFY_SOURCE

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "runtime/green/greened_call.h"

// What libc's headers say of arguments (nonnull) is no part of a function's type.
#pragma GCC diagnostic ignored "-Wignored-attributes"

namespace grove {
namespace {

#define GROVE_CALLER __builtin_return_address(0)

constinit RealFunction<decltype(&::read)> real_read("read");
constinit RealFunction<decltype(&::write)> real_write("write");
constinit RealFunction<decltype(&::readv)> real_readv("readv");
constinit RealFunction<decltype(&::writev)> real_writev("writev");
constinit RealFunction<decltype(&::recv)> real_recv("recv");
constinit RealFunction<decltype(&::recvfrom)> real_recvfrom("recvfrom");
constinit RealFunction<decltype(&::recvmsg)> real_recvmsg("recvmsg");
constinit RealFunction<decltype(&::send)> real_send("send");
constinit RealFunction<decltype(&::sendto)> real_sendto("sendto");
constinit RealFunction<decltype(&::sendmsg)> real_sendmsg("sendmsg");
constinit RealFunction<decltype(&::connect)> real_connect("connect");
constinit RealFunction<decltype(&::accept4)> real_accept4("accept4");

enum class Kind { kSocket, kFile, kOther };

Kind KindOf(int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0) return Kind::kOther;  // the call itself says what is wrong
  if (S_ISSOCK(status.st_mode)) return Kind::kSocket;
  const bool is_file =
      S_ISREG(status.st_mode) || S_ISBLK(status.st_mode) || S_ISDIR(status.st_mode);
  return is_file ? Kind::kFile : Kind::kOther;
}

// Of pipes, terminals, timers: they have no call that does not wait but after poll(2) said so.
bool IsReady(int fd, short events) {
  pollfd wanted{.fd = fd, .events = events, .revents = 0};
  return poll(&wanted, 1, 0) != 0;
}

ssize_t OnFile(GreenedCall& call, absl::FunctionRef<ssize_t()> real) {
  ssize_t done = -1;
  return call.Elsewhere([&] { done = real(); }) ? done : -1;
}

ssize_t WouldWait() {
  errno = EAGAIN;
  return -1;
}

// As a blocking write does: all of it, unless something fails in between.
ssize_t WriteAll(size_t length, absl::FunctionRef<ssize_t(size_t from)> once) {
  size_t written = 0;
  for (;;) {
    const ssize_t done = once(written);
    if (done < 0) return written > 0 ? static_cast<ssize_t>(written) : done;
    written += static_cast<size_t>(done);
    if (written >= length || done == 0) return static_cast<ssize_t>(written);
  }
}

// MSG_WAITALL of recv(2): until all is there, the stream ends or something fails.
ssize_t ReadAll(int flags, size_t length, absl::FunctionRef<ssize_t(size_t from)> once) {
  if ((flags & MSG_WAITALL) == 0 || (flags & MSG_PEEK) != 0) return once(0);
  return WriteAll(length, once);
}

size_t LengthOf(const iovec* pieces, int count) {
  size_t length = 0;
  for (int i = 0; i < count; ++i) length += pieces[i].iov_len;
  return length;
}

ssize_t Receive(GreenedCall& call, int fd, void* buffer, size_t length, int flags) {
  return ReadAll(flags, length, [&](size_t from) {
    char* const rest = static_cast<char*>(buffer) + from;
    return call.Transfer(
        fd, POLLIN, [&] { return real_recv(fd, rest, length - from, flags | MSG_DONTWAIT); },
        [&] { return real_recv(fd, rest, length - from, flags); });
  });
}

ssize_t Send(GreenedCall& call, int fd, const void* buffer, size_t length, int flags) {
  return WriteAll(length, [&](size_t from) {
    const char* const rest = static_cast<const char*>(buffer) + from;
    return call.Transfer(
        fd, POLLOUT, [&] { return real_send(fd, rest, length - from, flags | MSG_DONTWAIT); },
        [&] { return real_send(fd, rest, length - from, flags); });
  });
}

ssize_t Read(GreenedCall& call, int fd, void* buffer, size_t length) {
  const auto real = [&] { return real_read(fd, buffer, length); };
  switch (KindOf(fd)) {
    case Kind::kSocket:
      return Receive(call, fd, buffer, length, 0);
    case Kind::kFile:
      return OnFile(call, real);
    case Kind::kOther:
      break;
  }
  return call.Transfer(
      fd, POLLIN, [&] { return IsReady(fd, POLLIN) ? real() : WouldWait(); }, real);
}

ssize_t Write(GreenedCall& call, int fd, const void* buffer, size_t length) {
  switch (KindOf(fd)) {
    case Kind::kSocket:
      return Send(call, fd, buffer, length, 0);
    case Kind::kFile:
      return OnFile(call, [&] { return real_write(fd, buffer, length); });
    case Kind::kOther:
      break;
  }
  return WriteAll(length, [&](size_t from) {
    const char* const rest = static_cast<const char*>(buffer) + from;
    // A pipe that poll(2) calls writable has room for so much (pipe(7)).
    const size_t piece = std::min<size_t>(length - from, PIPE_BUF);
    return call.Transfer(
        fd, POLLOUT,
        [&] { return IsReady(fd, POLLOUT) ? real_write(fd, rest, piece) : WouldWait(); },
        [&] { return real_write(fd, rest, piece); });
  });
}

ssize_t SendMessage(GreenedCall& call, int fd, const msghdr* message, int flags) {
  const size_t length = LengthOf(message->msg_iov, static_cast<int>(message->msg_iovlen));
  const auto once = [&] { return real_sendmsg(fd, message, flags | MSG_DONTWAIT); };
  const ssize_t done =
      call.Transfer(fd, POLLOUT, once, [&] { return real_sendmsg(fd, message, flags); });
  if (done <= 0 || static_cast<size_t>(done) >= length) return done;
  // The rest of a stream's piece by piece: what came with it (control data) has gone.
  auto from = static_cast<size_t>(done);
  for (size_t i = 0; i < message->msg_iovlen; ++i) {
    const iovec& piece = message->msg_iov[i];
    if (from >= piece.iov_len) {
      from -= piece.iov_len;
      continue;
    }
    const ssize_t more = Send(call, fd, static_cast<const char*>(piece.iov_base) + from,
                              piece.iov_len - from, flags);
    if (more < 0) break;
    from = 0;
  }
  return static_cast<ssize_t>(length);
}

int Connect(GreenedCall& call, int fd, const sockaddr* address, socklen_t length) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || (flags & O_NONBLOCK) != 0 || !call.MayPark()) {
    int done = -1;
    if (flags >= 0 && (flags & O_NONBLOCK) == 0) {
      call.Elsewhere(
          [&] { done = real_connect(fd, address, length); });  // refused: it holds a lock
    } else {
      done = real_connect(fd, address, length);
      const int error = errno;
      call.CountReady();
      errno = error;
    }
    return done;
  }
  fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  int done = real_connect(fd, address, length);
  int error = done == 0 ? 0 : errno;
  if (error == EINPROGRESS || error == EAGAIN) {
    error = call.AwaitReady(fd, POLLOUT);
    socklen_t size = sizeof(error);
    if (error == 0) getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    done = error == 0 ? 0 : -1;
  } else {
    call.CountReady();
  }
  fcntl(fd, F_SETFL, flags);
  errno = error;
  return done;
}

int Accept(GreenedCall& call, int fd, sockaddr* address, socklen_t* length, int flags) {
  const auto real = [&] { return static_cast<ssize_t>(real_accept4(fd, address, length, flags)); };
  return static_cast<int>(call.Transfer(
      fd, POLLIN, [&] { return IsReady(fd, POLLIN) ? real() : WouldWait(); }, real));
}

}  // namespace
}  // namespace grove

extern "C" {

ssize_t read(int fd, void* buffer, size_t length) {
  grove::GreenedCall call("read", GROVE_CALLER);
  return call.is_green() ? grove::Read(call, fd, buffer, length)
                         : grove::real_read(fd, buffer, length);
}
// NOLINTNEXTLINE(bugprone-reserved-identifier): libc's name
ssize_t __read_chk(int fd, void* buffer, size_t length, size_t room) {
  if (length > room) abort();
  grove::GreenedCall call("read", GROVE_CALLER);
  return call.is_green() ? grove::Read(call, fd, buffer, length)
                         : grove::real_read(fd, buffer, length);
}
ssize_t write(int fd, const void* buffer, size_t length) {
  grove::GreenedCall call("write", GROVE_CALLER);
  return call.is_green() ? grove::Write(call, fd, buffer, length)
                         : grove::real_write(fd, buffer, length);
}

// The first piece that has room: as good as any other short read.
ssize_t readv(int fd, const iovec* pieces, int count) {
  grove::GreenedCall call("readv", GROVE_CALLER);
  if (!call.is_green()) return grove::real_readv(fd, pieces, count);
  for (int i = 0; i < count; ++i) {
    if (pieces[i].iov_len > 0) {
      return grove::Read(call, fd, pieces[i].iov_base, pieces[i].iov_len);
    }
  }
  return grove::real_readv(fd, pieces, count);
}
ssize_t writev(int fd, const iovec* pieces, int count) {
  grove::GreenedCall call("writev", GROVE_CALLER);
  if (!call.is_green()) return grove::real_writev(fd, pieces, count);
  if (grove::KindOf(fd) == grove::Kind::kSocket) {
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(pieces);
    message.msg_iovlen = static_cast<size_t>(count);
    return grove::SendMessage(call, fd, &message, 0);
  }
  ssize_t written = 0;
  for (int i = 0; i < count; ++i) {
    const ssize_t done = grove::Write(call, fd, pieces[i].iov_base, pieces[i].iov_len);
    if (done < 0) return written > 0 ? written : done;
    written += done;
    if (static_cast<size_t>(done) < pieces[i].iov_len) break;
  }
  return written;
}

ssize_t recv(int fd, void* buffer, size_t length, int flags) {
  grove::GreenedCall call("recv", GROVE_CALLER);
  if (!call.is_green() || (flags & MSG_DONTWAIT) != 0) {
    return grove::real_recv(fd, buffer, length, flags);
  }
  return grove::Receive(call, fd, buffer, length, flags);
}
// NOLINTNEXTLINE(bugprone-reserved-identifier): libc's name
ssize_t __recv_chk(int fd, void* buffer, size_t length, size_t room, int flags) {
  if (length > room) abort();
  grove::GreenedCall call("recv", GROVE_CALLER);
  if (!call.is_green() || (flags & MSG_DONTWAIT) != 0) {
    return grove::real_recv(fd, buffer, length, flags);
  }
  return grove::Receive(call, fd, buffer, length, flags);
}
ssize_t recvfrom(int fd, void* buffer, size_t length, int flags, sockaddr* address,
                 socklen_t* address_length) {
  grove::GreenedCall call("recvfrom", GROVE_CALLER);
  const auto real = [&](int more) {
    return grove::real_recvfrom(fd, buffer, length, flags | more, address, address_length);
  };
  if (!call.is_green() || (flags & MSG_DONTWAIT) != 0) return real(0);
  if (address == nullptr) return grove::Receive(call, fd, buffer, length, flags);
  return call.Transfer(
      fd, POLLIN, [&] { return real(MSG_DONTWAIT); }, [&] { return real(0); });
}
ssize_t recvmsg(int fd, msghdr* message, int flags) {
  grove::GreenedCall call("recvmsg", GROVE_CALLER);
  const auto real = [&](int more) { return grove::real_recvmsg(fd, message, flags | more); };
  if (!call.is_green() || (flags & MSG_DONTWAIT) != 0) return real(0);
  return call.Transfer(
      fd, POLLIN, [&] { return real(MSG_DONTWAIT); }, [&] { return real(0); });
}
ssize_t send(int fd, const void* buffer, size_t length, int flags) {
  grove::GreenedCall call("send", GROVE_CALLER);
  if (!call.is_green() || (flags & MSG_DONTWAIT) != 0) {
    return grove::real_send(fd, buffer, length, flags);
  }
  return grove::Send(call, fd, buffer, length, flags);
}
ssize_t sendto(int fd, const void* buffer, size_t length, int flags, const sockaddr* address,
               socklen_t address_length) {
  grove::GreenedCall call("sendto", GROVE_CALLER);
  const auto real = [&](int more) {
    return grove::real_sendto(fd, buffer, length, flags | more, address, address_length);
  };
  if (!call.is_green() || (flags & MSG_DONTWAIT) != 0) return real(0);
  if (address == nullptr) return grove::Send(call, fd, buffer, length, flags);
  return call.Transfer(
      fd, POLLOUT, [&] { return real(MSG_DONTWAIT); }, [&] { return real(0); });
}
ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  grove::GreenedCall call("sendmsg", GROVE_CALLER);
  if (!call.is_green() || (flags & MSG_DONTWAIT) != 0) {
    return grove::real_sendmsg(fd, message, flags);
  }
  return grove::SendMessage(call, fd, message, flags);
}

int connect(int fd, const sockaddr* address, socklen_t length) {
  grove::GreenedCall call("connect", GROVE_CALLER);
  return call.is_green() ? grove::Connect(call, fd, address, length)
                         : grove::real_connect(fd, address, length);
}
int accept(int fd, sockaddr* address, socklen_t* length) {
  grove::GreenedCall call("accept", GROVE_CALLER);
  return call.is_green() ? grove::Accept(call, fd, address, length, 0)
                         : grove::real_accept4(fd, address, length, 0);
}
int accept4(int fd, sockaddr* address, socklen_t* length, int flags) {
  grove::GreenedCall call("accept4", GROVE_CALLER);
  return call.is_green() ? grove::Accept(call, fd, address, length, flags)
                         : grove::real_accept4(fd, address, length, flags);
}

}  // extern "C"
