#include "server/http/handler/multipart.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "http/message/utf8.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/switch/errno_status.h"

namespace grove::http {
namespace {

constexpr size_t kReadBytes = size_t{16} * 1024;
constexpr size_t kBoundaryBytesMax = 70;  // RFC 2046, 5.1.1
// Blanks behind a boundary that some gateway may have added.
constexpr size_t kPaddingBytesMax = 64;

absl::Status Bad(std::string_view problem) {
  return absl::InvalidArgumentError(StrCat("multipart: ", problem));
}

bool IsBlank(char c) {
  return c == ' ' || c == '\t';
}

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && IsBlank(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsBlank(text.back())) text.remove_suffix(1);
  return text;
}

bool HasControl(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](unsigned char c) { return (c < ' ' && c != '\t') || c == 0x7f; });
}

// A value of parameters, from its first byte on; what is left of `text` is behind it. A backslash
// is one unless '"' or '\' follows: some clients send whole paths.
std::optional<std::string> TakeValue(std::string_view& text) {
  if (!text.starts_with('"')) {
    const size_t end = std::min(text.find(';'), text.size());
    const std::string_view token = Trimmed(text.substr(0, end));
    text.remove_prefix(end);
    if (token.empty() || token.find_first_of("\" \t") != token.npos) return std::nullopt;
    return std::string(token);
  }
  std::string value;
  for (size_t i = 1; i < text.size(); ++i) {
    const bool is_escape =
        text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == '"' || text[i + 1] == '\\');
    if (text[i] == '"') {
      text.remove_prefix(i + 1);
      return value;
    }
    if (is_escape) ++i;
    value.push_back(text[i]);
  }
  return std::nullopt;
}

// Of "form-data; name=a; filename=\"b\"". Null: it does not stand there; kInvalidArgument: it
// does twice, or the parameters are none.
struct Parameters {
  std::string_view type;
  std::optional<std::string> name, filename, boundary;
};

absl::StatusOr<Parameters> ParseParameters(std::string_view text, std::string_view what) {
  Parameters found;
  const size_t type_end = std::min(text.find(';'), text.size());
  found.type = Trimmed(text.substr(0, type_end));
  text.remove_prefix(type_end);
  while (!(text = Trimmed(text)).empty()) {
    if (text.front() != ';') return Bad(StrCat("no ';' before a parameter of ", what));
    text = Trimmed(text.substr(1));
    if (text.empty() || text.front() == ';') continue;
    const size_t equals = text.find_first_of("=;");
    if (equals == text.npos || text[equals] == ';') {
      return Bad(StrCat("a parameter of ", what, " without a value"));
    }
    const std::string_view key = Trimmed(text.substr(0, equals));
    text = Trimmed(text.substr(equals + 1));
    std::optional<std::string> value = TakeValue(text);
    if (!value) return Bad(StrCat("a parameter of ", what, " without a value"));
    std::optional<std::string>* const slot = EqualsIgnoreCase(key, "name")       ? &found.name
                                             : EqualsIgnoreCase(key, "filename") ? &found.filename
                                             : EqualsIgnoreCase(key, "boundary") ? &found.boundary
                                                                                 : nullptr;
    if (slot == nullptr) continue;
    if (*slot) return Bad(StrCat(what, " has a parameter twice"));
    *slot = std::move(value);
  }
  return found;
}

absl::Status CheckName(std::string_view name) {
  if (HasControl(name) || name.find('\t') != name.npos) {
    return Bad("a control character in a name");
  }
  if (!IsUtf8(name)) return Bad("a name that is no UTF-8");
  return absl::OkStatus();
}

absl::Status TakeDisposition(std::string_view value, Part& part) {
  absl::StatusOr<Parameters> given = ParseParameters(value, "Content-Disposition");
  if (!given.ok()) return given.status();
  if (!EqualsIgnoreCase(given->type, "form-data")) return Bad("a part that is no form-data");
  if (!given->name) return Bad("a part without a name");
  part.name = *std::move(given->name);
  if (absl::Status status = CheckName(part.name); !status.ok()) return status;
  if (!given->filename) return absl::OkStatus();
  if (absl::Status status = CheckName(*given->filename); !status.ok()) return status;
  const size_t folder_end = given->filename->find_last_of("/\\");
  part.filename =
      folder_end == std::string::npos ? *given->filename : given->filename->substr(folder_end + 1);
  return absl::OkStatus();
}

// `head` ends with the end of its last line.
absl::StatusOr<Part> ParseHead(std::string_view head) {
  Part part;
  bool has_disposition = false;
  while (!head.empty()) {
    const size_t end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end + 2);
    if (HasControl(line)) return Bad("a control character before a part's content");
    if (IsBlank(line.front())) return Bad("a folded line before a part's content");
    const size_t colon = line.find(':');
    if (colon == line.npos || colon == 0 || IsBlank(line[colon - 1])) {
      return Bad("a line without a name before a part's content");
    }
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = Trimmed(line.substr(colon + 1));
    if (EqualsIgnoreCase(name, "Content-Disposition")) {
      if (std::exchange(has_disposition, true)) return Bad("a part with two Content-Dispositions");
      if (absl::Status status = TakeDisposition(value, part); !status.ok()) return status;
    } else if (EqualsIgnoreCase(name, "Content-Type")) {
      part.content_type = value;
    } else if (EqualsIgnoreCase(name, "Content-Transfer-Encoding")) {
      const bool is_plain = EqualsIgnoreCase(value, "binary") || EqualsIgnoreCase(value, "8bit") ||
                            EqualsIgnoreCase(value, "7bit");
      if (!is_plain) return Bad("a part in an encoding; send it as it is");
    }
  }
  if (!has_disposition) return Bad("a part without a name");
  return part;
}

// How much of the end of `bytes` may be the beginning of `word`.
size_t BegunAtEnd(std::string_view bytes, std::string_view word) {
  size_t length = std::min(bytes.size(), word.size() - 1);
  while (!bytes.ends_with(word.substr(0, length))) --length;
  return length;
}

absl::Status WriteWhole(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoStatus(errno, "write");
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Multipart> Multipart::Of(Request& request, const MultipartLimits& limits) {
  const std::string_view type = request.Get("Content-Type").value_or("");
  absl::StatusOr<Parameters> given = ParseParameters(type, "Content-Type");
  if (!given.ok()) return given.status();
  if (!EqualsIgnoreCase(given->type, "multipart/form-data")) {
    return absl::InvalidArgumentError("want a form with Content-Type: multipart/form-data");
  }
  const std::string boundary = std::move(given->boundary).value_or("");
  if (boundary.empty() || boundary.size() > kBoundaryBytesMax || HasControl(boundary) ||
      IsBlank(boundary.back())) {
    return Bad("Content-Type has no boundary of 1 to 70 characters");
  }
  return Multipart(*request.body, boundary, limits);
}

Multipart::Multipart(BodySource& body, std::string_view boundary, const MultipartLimits& limits)
    : body_(&body), delimiter_(StrCat("\r\n--", boundary)), limits_(limits) {}

absl::Status Multipart::Fail(absl::Status why) {
  failure_ = std::move(why);
  return failure_;
}

absl::StatusOr<bool> Multipart::Fill() {
  if (body_ended_) return false;
  buffer_.erase(0, std::exchange(at_, 0));
  const size_t before = buffer_.size();
  buffer_.resize(before + kReadBytes);
  const absl::StatusOr<size_t> got = body_->Read(std::span(buffer_).subspan(before));
  buffer_.resize(before + (got.ok() ? *got : 0));
  if (!got.ok()) return Fail(got.status());
  body_ended_ = *got == 0;
  return !body_ended_;
}

std::optional<size_t> Multipart::DelimiterTail(std::string_view bytes, bool& is_last) const {
  const bool has_dash = bytes.starts_with('-');
  if (has_dash && bytes.size() == 1 && !body_ended_) return std::nullopt;
  is_last = bytes.starts_with("--");
  size_t end = is_last ? 2 : 0;
  const size_t padding_end = end + kPaddingBytesMax;
  while (end < bytes.size() && end < padding_end && IsBlank(bytes[end])) ++end;
  const std::string_view rest = bytes.substr(end);
  if (rest.starts_with("\r\n")) return end + 2;
  if (rest.empty() && is_last && body_ended_) return end;
  const bool is_open = rest.empty() || rest == "\r";
  return is_open && !body_ended_ ? std::nullopt : std::optional<size_t>(0);
}

Multipart::Look Multipart::LookAt(std::string_view bytes) const {
  for (size_t from = 0;;) {
    const size_t found = bytes.find(delimiter_, from);
    if (found == bytes.npos) {
      const size_t begun = body_ended_ ? 0 : BegunAtEnd(bytes, delimiter_);
      return {.content = bytes.size() - begun};
    }
    const size_t tail = found + delimiter_.size();
    bool is_last = false;
    const std::optional<size_t> length = DelimiterTail(bytes.substr(tail), is_last);
    if (!length) return {.content = found};
    if (*length > 0) {
      return {.content = found, .delimiter_end = tail + *length, .is_last = is_last};
    }
    from = found + 2;
  }
}

absl::StatusOr<size_t> Multipart::Read(std::span<char> buffer) {
  return parts_ == 0 ? size_t{0} : ReadContent(buffer);
}

absl::StatusOr<size_t> Multipart::ReadContent(std::span<char> buffer) {
  if (!failure_.ok()) return failure_;
  while (state_ == State::kInPart) {
    Look look = LookAt(held());
    if (look.content > 0 && std::exchange(at_line_end_, false)) {
      at_ += 2;
      continue;
    }
    if (look.content > 0) {
      const size_t taken = std::min(look.content, buffer.size());
      std::memcpy(buffer.data(), buffer_.data() + at_, taken);
      at_ += taken;
      return taken;
    }
    if (look.delimiter_end > 0) {
      at_ += look.delimiter_end;
      state_ = look.is_last ? State::kEnded : State::kBetween;
      break;
    }
    const absl::StatusOr<bool> more = Fill();
    if (!more.ok()) return more.status();
    if (!*more && held().empty()) return Fail(Bad("the body ends within a part"));
  }
  return size_t{0};
}

absl::Status Multipart::PassOver() {
  char passed[4096];
  for (;;) {
    const absl::StatusOr<size_t> got = ReadContent(passed);
    if (!got.ok()) return got.status();
    if (*got == 0) return absl::OkStatus();
  }
}

absl::StatusOr<Part> Multipart::ReadHead() {
  // The line end of the delimiter is gone: a part without any line before its content has that
  // line's end at once.
  for (;;) {
    if (held().starts_with("\r\n")) return Bad("a part without a name");
    const size_t end = held().find("\r\n\r\n");
    // Of the four bytes that end it three may be there.
    const size_t known = end == std::string_view::npos ? held().size() : end + 3;
    if (known > limits_.head_bytes_max + 3) {
      return Bad(StrCat("more than ", limits_.head_bytes_max, " bytes before a part's content"));
    }
    if (end != std::string_view::npos) {
      absl::StatusOr<Part> part = ParseHead(held().substr(0, end + 2));
      at_ += end + 2;
      return part;
    }
    const absl::StatusOr<bool> more = Fill();
    if (!more.ok()) return more.status();
    if (!*more) return Bad("the body ends before a part's content");
  }
}

absl::StatusOr<std::optional<Part>> Multipart::Next() {
  if (absl::Status status = PassOver(); !status.ok()) return status;
  if (state_ == State::kEnded) {
    // The rest says nothing (RFC 2046, 5.1.1).
    for (;;) {
      at_ = buffer_.size();
      const absl::StatusOr<bool> more = Fill();
      if (!more.ok()) return more.status();
      if (!*more) return std::optional<Part>();
    }
  }
  if (++parts_ > limits_.parts_max) {
    return Fail(Bad(StrCat("more than ", limits_.parts_max, " parts")));
  }
  absl::StatusOr<Part> part = ReadHead();
  if (!part.ok()) return Fail(part.status());
  state_ = State::kInPart;
  at_line_end_ = true;
  return std::optional<Part>(*std::move(part));
}

absl::StatusOr<std::string> Multipart::ReadText(size_t bytes_max) {
  std::string text;
  for (;;) {
    const size_t before = text.size();
    text.resize(before + std::clamp<size_t>(before, 1024, kReadBytes));
    const absl::StatusOr<size_t> got = Read(std::span(text).subspan(before));
    if (!got.ok()) return got.status();
    text.resize(before + *got);
    if (text.size() > bytes_max) {
      return absl::ResourceExhaustedError(
          StrCat("multipart: a part is longer than ", bytes_max, " bytes"));
    }
    if (*got == 0) return text;
  }
}

absl::StatusOr<uint64_t> Multipart::SaveTo(const std::string& path, uint64_t bytes_max,
                                           OffloadPool& offload) {
  int fd = -1;
  int failed = 0;
  const absl::Status ran = offload.Run([&] {
    fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    failed = errno;
  });
  if (!ran.ok()) return ran;
  if (fd < 0) return ErrnoStatus(failed, StrCat("open ", path));
  bool is_whole = false;
  const absl::Cleanup close_it = [&] {
    close(fd);
    if (!is_whole) unlink(path.c_str());
  };
  uint64_t length = 0;
  for (std::string bytes(size_t{64} * 1024, '\0');;) {
    const absl::StatusOr<size_t> got = Read(bytes);
    if (!got.ok()) return got.status();
    if (*got == 0) break;
    length += *got;
    if (length > bytes_max) {
      return absl::ResourceExhaustedError(
          StrCat("multipart: a part is longer than ", bytes_max, " bytes"));
    }
    absl::Status written;
    const absl::Status wrote =
        offload.Run([&] { written = WriteWhole(fd, std::string_view(bytes).substr(0, *got)); });
    if (!wrote.ok()) return wrote;
    if (!written.ok()) return written;
  }
  is_whole = true;
  return length;
}

}  // namespace grove::http
