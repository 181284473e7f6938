#include "server/http/middleware/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <forward_list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "runtime/hub/hub.h"
#include "runtime/switch/abseil_text.h"
#include "server/http/middleware/accept_encoding.h"

namespace grove::http {
namespace {

// Compressed in one go; between two, other fibers run: some 2 ms at level 5.
constexpr size_t kSliceBytes = 64 * 1024;
// Written to the sink in pieces of about this size.
constexpr size_t kPieceBytes = 16 * 1024;
// zlib's window, as a power of two, and the flag for gzip's framing (zlib.h, deflateInit2).
constexpr int kWindowBitsMin = 9;
constexpr int kWindowBitsMax = 15;
constexpr int kGzipFraming = 16;

std::string_view ValueOf(FieldSpan fields, std::string_view name) {
  for (const auto& [key, value] : fields) {
    if (EqualsIgnoreCase(key, name)) return value;
  }
  return {};
}

bool Has(FieldSpan fields, std::string_view name) {
  return std::any_of(fields.begin(), fields.end(),
                     [name](const auto& field) { return EqualsIgnoreCase(field.name, name); });
}

class Deflater {
 public:
  // `length`: of the whole, if known: a short one needs less memory.
  bool Init(int level, std::optional<size_t> length) {
    int window_bits = kWindowBitsMax;
    while (length.has_value() && window_bits > kWindowBitsMin &&
           *length <= (size_t{1} << (window_bits - 1))) {
      --window_bits;
    }
    live_ = deflateInit2(&stream_, level, Z_DEFLATED, window_bits + kGzipFraming,
                         std::min(8, window_bits - 6), Z_DEFAULT_STRATEGY) == Z_OK;
    return live_;
  }
  ~Deflater() {
    if (live_) deflateEnd(&stream_);
  }

  // Appends what `bytes` give to `out`.
  void Add(std::string_view bytes, int flush, std::string& out) {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(bytes.size());
    do {
      const size_t used = out.size();
      out.resize(used + kPieceBytes);
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + used);
      stream_.avail_out = static_cast<uInt>(kPieceBytes);
      deflate(&stream_, flush);
      out.resize(out.size() - stream_.avail_out);
    } while (stream_.avail_out == 0);
  }

 private:
  z_stream stream_{};
  bool live_ = false;
};

// All fields of that name as one list (RFC 9110, 5.3).
bool Wants(const Request& request) {
  std::string all;
  for (const Field& field : request.fields) {
    if (EqualsIgnoreCase(field.name, "accept-encoding")) all.append(field.value).append(",");
  }
  return AcceptsGzip(all);
}

class GzipSink final : public ResponseSink {
 public:
  // All must outlive it.
  GzipSink(const GzipOptions& options, ResponseSink& sink, const Request& request)
      : options_(options), sink_(sink), request_(request), wanted_(Wants(request)) {}

  absl::Status Begin(int status, FieldSpan fields, std::optional<size_t> body_bytes) override {
    std::optional<size_t> length = body_bytes;
    uint64_t declared = 0;
    const std::string_view text = ValueOf(fields, "content-length");
    if (absl::SimpleAtoi({text.data(), text.size()}, &declared)) length = declared;
    // A body of known length has no pieces that anybody waits for.
    streamed_ = !length.has_value();
    const std::string_view type = ValueOf(fields, "content-type");
    if (status == 304) return sink_.Begin(status, NotModified(fields), body_bytes);
    if (!IsEligible(status, fields, type, length)) return sink_.Begin(status, fields, body_bytes);
    std::vector<Field> changed = Change(fields);
    if (!Starts(status, length)) return sink_.Begin(status, changed, body_bytes);
    Encode(changed);
    return sink_.Begin(status, changed, std::nullopt);
  }

  absl::Status Write(std::string_view bytes) override {
    if (!encoding_) return sink_.Write(bytes);
    if (IsHead()) return absl::OkStatus();
    std::string out;
    absl::Status written;
    while (!bytes.empty() && written.ok()) {
      const std::string_view slice = bytes.substr(0, kSliceBytes);
      bytes.remove_prefix(slice.size());
      deflater_.Add(slice, streamed_ && bytes.empty() ? Z_SYNC_FLUSH : Z_NO_FLUSH, out);
      if (!out.empty() && (bytes.empty() || out.size() >= kPieceBytes)) {
        written = sink_.Write(out);
        out.clear();
      }
      if (!bytes.empty() && written.ok()) Yield();
    }
    return written;
  }

  // A file goes through Write(), as the default has it, unless it stays as it is.
  absl::Status WriteFile(int file, uint64_t offset, uint64_t length) override {
    if (encoding_ && IsHead()) return absl::OkStatus();
    return encoding_ ? ResponseSink::WriteFile(file, offset, length)
                     : sink_.WriteFile(file, offset, length);
  }
  void Describe(std::string_view content_type, uint64_t body_bytes) override {
    described_ = IsCompressible(content_type, options_.types) && IsLongEnough(body_bytes)
                     ? Described::kCompressible
                     : Described::kPlain;
    sink_.Describe(content_type, body_bytes);
  }
  absl::Status SendInterim(int status, FieldSpan fields) override {
    return sink_.SendInterim(status, fields);
  }
  absl::Status Flush() override { return sink_.Flush(); }
  absl::StatusOr<Transport*> Switch(std::string_view protocol, FieldSpan fields) override {
    return sink_.Switch(protocol, fields);
  }

  absl::Status Finish(FieldSpan trailers) override {
    if (encoding_ && !IsHead()) {
      std::string out;
      deflater_.Add({}, Z_FINISH, out);
      if (absl::Status written = sink_.Write(out); !written.ok()) return written;
    }
    return sink_.Finish(trailers);
  }

  absl::Status Send(int status, FieldSpan fields, std::string_view content_type,
                    std::string_view body) override {
    if (status == 304) return sink_.Send(status, NotModified(fields), content_type, body);
    const std::string_view type =
        content_type.empty() ? ValueOf(fields, "content-type") : content_type;
    if (!IsEligible(status, fields, type, body.size())) {
      return sink_.Send(status, fields, content_type, body);
    }
    std::vector<Field> changed = Change(fields);
    if (!Starts(status, body.size())) return sink_.Send(status, changed, content_type, body);
    Encode(changed);
    std::string out;
    while (!body.empty()) {
      const std::string_view slice = body.substr(0, kSliceBytes);
      body.remove_prefix(slice.size());
      deflater_.Add(slice, body.empty() ? Z_FINISH : Z_NO_FLUSH, out);
      if (!body.empty()) Yield();
    }
    return sink_.Send(status, changed, content_type, out);
  }

 private:
  // What a 304 stands for.
  enum class Described : uint8_t { kNot, kPlain, kCompressible };

  bool IsHead() const { return request_.method == "HEAD"; }
  bool IsLongEnough(uint64_t length) const { return length >= options_.bytes_min && length > 0; }
  static bool MayTransform(FieldSpan fields) {
    const std::string cache = absl::AsciiStrToLower(std::string(ValueOf(fields, "cache-control")));
    return !Has(fields, "content-encoding") && cache.find("no-transform") == std::string::npos;
  }

  // Whether it would be compressed for a client that takes it, or if it were whole.
  bool IsEligible(int status, FieldSpan fields, std::string_view type,
                  std::optional<size_t> length) const {
    if (status == 204 || status == 304 || !MayTransform(fields)) return false;
    if (status == 206)
      return type.starts_with("multipart/") || IsCompressible(type, options_.types);
    if (length.has_value() && !IsLongEnough(*length)) return false;
    return !Has(fields, "content-range") && IsCompressible(type, options_.types);
  }

  // What a 304 says of the response that it stands for.
  std::vector<Field> NotModified(FieldSpan fields) {
    if (described_ == Described::kPlain || !MayTransform(fields)) {
      return {fields.begin(), fields.end()};
    }
    std::vector<Field> changed = Change(fields);
    const bool coded = described_ == Described::kCompressible || HasWeakTag(fields);
    if (wanted_ && coded) WeakenTags(changed);
    return changed;
  }

  // Whether the client has named the weak form of the response's tag: what it has is compressed.
  bool HasWeakTag(FieldSpan fields) const {
    const std::string weak = StrCat("W/", ValueOf(fields, "etag"));
    return std::any_of(request_.fields.begin(), request_.fields.end(), [&weak](const Field& field) {
      return EqualsIgnoreCase(field.name, "if-none-match") &&
             field.value.find(weak) != field.value.npos;
    });
  }

  // Whether it will be compressed now.
  bool Starts(int status, std::optional<size_t> length) {
    // Out of memory it goes out as it is.
    encoding_ = wanted_ && status >= 200 && status != 206 && deflater_.Init(options_.level, length);
    return encoding_;
  }

  // Both forms say that there are two.
  static std::vector<Field> Change(FieldSpan fields) {
    std::vector<Field> changed(fields.begin(), fields.end());
    changed.push_back({"Vary", "Accept-Encoding"});
    return changed;
  }

  void Encode(std::vector<Field>& fields) {
    std::erase_if(
        fields, [](const Field& field) { return EqualsIgnoreCase(field.name, "content-length"); });
    // Ranges are of the plain bytes.
    std::erase_if(fields,
                  [](const Field& field) { return EqualsIgnoreCase(field.name, "accept-ranges"); });
    WeakenTags(fields);
    fields.push_back({"Content-Encoding", "gzip"});
  }

  // A strong one promises the same bytes (RFC 9110, 8.8.1).
  void WeakenTags(std::vector<Field>& fields) {
    for (Field& field : fields) {
      if (EqualsIgnoreCase(field.name, "etag") && !field.value.starts_with("W/")) {
        field.value = weak_etags_.emplace_front(StrCat("W/", field.value));
      }
    }
  }

  const GzipOptions& options_;
  ResponseSink& sink_;
  const Request& request_;
  const bool wanted_;
  Described described_ = Described::kNot;
  bool encoding_ = false;
  bool streamed_ = false;
  Deflater deflater_;
  std::forward_list<std::string> weak_etags_;  // what changed fields are views of
};

}  // namespace

Middleware Gzip(GzipOptions options) {
  const auto shared = std::make_shared<const GzipOptions>(std::move(options));
  return [shared](Request& request, Response& response, const Handler& next) {
    ResponseSink& sink = response.sink();
    GzipSink gzip(*shared, sink, request);
    response.set_sink(gzip);
    const auto restore = absl::MakeCleanup([&] { response.set_sink(sink); });
    absl::Status result = next(request, response);
    // The last bytes are the filter's.
    return result.ok() ? response.Finish() : result;
  };
}

}  // namespace grove::http
