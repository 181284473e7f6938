#include "http/client/exchange_state.h"

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "absl/strings/str_format.h"
#include "http/message/scan.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/switch/abseil_text.h"

namespace grove::http {
namespace {

// Sent together with the head: the kernel takes as much at once of a connection that is not behind.
constexpr size_t kInlineBodyBytes = 64 * 1024;
// "103 Early Hints" and the like; more is a server gone mad.
constexpr int kInterimMax = 16;
// Of a body that nobody wants, such as a redirect's: beyond, a new connection is cheaper.
constexpr size_t kDiscardBytesMax = 64 * 1024;

iovec Part(std::string_view bytes) {
  return {const_cast<char*>(bytes.data()), bytes.size()};
}

absl::Status TooLarge(size_t bytes_max) {
  return absl::ResourceExhaustedError(
      absl::StrFormat("the body is larger than the %d bytes allowed", bytes_max));
}

// Whether a head that switches protocols switches to `wanted`.
bool Answers(const ResponseHead& head, std::string_view wanted) {
  if (head.status != 101 || wanted.empty()) return false;
  return std::any_of(head.fields.begin(), head.fields.end(), [wanted](const http::Field& field) {
    return EqualsIgnoreCase(field.name, "upgrade") && EqualsIgnoreCase(field.value, wanted);
  });
}

absl::Status CutShort() {
  return absl::UnavailableError("the connection ended before the body did");
}

}  // namespace

HttpExchange::State::~State() {
  EndSending();
}

void HttpExchange::State::EndSending() {
  if (!sender_ || sent_) return;
  sender_.Cancel();
  sender_.AwaitEnd();
}

absl::Status HttpExchange::State::Fail(absl::Status why) {
  // The reader was woken since the body's source had failed: that is the reason.
  failure_ = source_failure_.ok() ? std::move(why) : source_failure_;
  ended_ = true;
  EndSending();
  Drop();
  return failure_;
}

absl::Status HttpExchange::State::Run(HttpRequest& request, const Url& url,
                                      const HeadExtras& extras, bool decode) {
  was_reused_ = lease_.reused();
  absl::Status sent = Send(request, WriteHead(request, url, extras));
  if (!sent.ok() && !absl::IsUnavailable(sent)) {
    return Fail(std::move(sent));
  }
  if (!sent.ok()) {
    // It may have answered before it hung up; if not, the reader says what became of it.
    framing_.keep_alive = false;
  }
  if (absl::Status read = ReadHead(request.method); !read.ok()) return Fail(std::move(read));
  if (absl::Status framed = parser_.Frame(request.method, framing_); !framed.ok()) {
    return Fail(std::move(framed));
  }
  if (switched() && !Answers(parser_.head(), request.upgrade)) {
    return Fail(absl::UnavailableError("the server changes to a protocol that nobody asked for"));
  }
  TakeHead(parser_.head(), decode);
  lease_->Consume(parser_.head_bytes());
  left_ = framing_.content_length;
  chunked_.Reset();
  ended_ = switched();
  if (framing_.body == ResponseBody::kNone) Finish();
  return absl::OkStatus();
}

absl::Status HttpExchange::State::Send(HttpRequest& request, const std::string& head) {
  const bool apart = request.source != nullptr || request.body.size() > kInlineBodyBytes ||
                     (request.expect_continue && !request.body.empty());
  if (!apart) {
    std::array<iovec, 2> parts = {Part(head), Part(request.body)};
    return lease_->stream().Writev(parts);
  }
  if (absl::Status sent = lease_->stream().Write(head); !sent.ok()) return sent;
  if (!request.expect_continue) may_send_.Set();
  return SpawnSender(request);
}

absl::Status HttpExchange::State::SpawnSender(HttpRequest& request) {
  sent_ = false;
  absl::StatusOr<FiberHandle> sender = Spawn("http-body", [this, &request] {
    if (SendBody(request).ok()) sent_ = true;
  });
  if (!sender.ok()) return sender.status();
  sender_ = *std::move(sender);
  return absl::OkStatus();
}

absl::Status HttpExchange::State::SendBody(HttpRequest& request) {
  Timeout patience(request.expect_continue ? kContinueWait : absl::InfiniteDuration());
  if (absl::Status asked = patience.Silence(may_send_.Wait()); !asked.ok()) return asked;
  patience.Cancel();
  if (request.source == nullptr) return lease_->stream().Write(request.body);
  return SendPieces(request);
}

void HttpExchange::State::AbortBody() {
  lease_->stream().Close();
}

absl::StatusOr<std::string> HttpExchange::State::NextPiece(HttpRequest& request, uint64_t& left) {
  absl::StatusOr<std::string> piece = request.source();
  if (!piece.ok()) {
    source_failure_ = piece.status();
  } else if (request.source_length.has_value()) {
    if (piece->size() > left || (piece->empty() && left > 0)) {
      source_failure_ = absl::InvalidArgumentError(
          absl::StrFormat("the body's source does not yield the %d bytes of source_length",
                          *request.source_length));
    }
    left -= piece->size();
  }
  if (source_failure_.ok()) return piece;
  AbortBody();
  return source_failure_;
}

absl::Status HttpExchange::State::SendPieces(HttpRequest& request) {
  const bool in_chunks = !request.source_length.has_value();
  uint64_t left = request.source_length.value_or(0);
  for (;;) {
    absl::StatusOr<std::string> piece = NextPiece(request, left);
    if (!piece.ok()) return piece.status();
    if (!in_chunks && piece->empty()) return absl::OkStatus();
    const std::string size = absl::StrFormat("%x\r\n", piece->size());
    std::array<iovec, 3> chunk = {Part(size), Part(*piece), Part("\r\n")};
    absl::Status sent = in_chunks ? lease_->stream().Writev(chunk) : lease_->stream().Write(*piece);
    if (!sent.ok() || piece->empty()) return sent;
  }
}

absl::Status HttpExchange::State::ReadHead(std::string_view method) {
  for (int interim = 0; interim <= kInterimMax; ++interim) {
    parser_.Reset();
    for (;;) {
      const ResponseParser::Result result = lease_->unread().empty()
                                                ? ResponseParser::Result::kNeedMore
                                                : parser_.Parse(lease_->unread());
      if (result == ResponseParser::Result::kDone) break;
      if (result == ResponseParser::Result::kBad) return parser_.error();
      absl::StatusOr<size_t> got = lease_->Fill();
      if (!got.ok()) return got.status();
      if (*got == 0) return absl::UnavailableError("the server closed the connection unanswered");
      received_ = true;
    }
    const int status = parser_.head().status;
    if (status >= 200 || status == 101) return absl::OkStatus();
    if (status == 100) may_send_.Set();
    lease_->Consume(parser_.head_bytes());
  }
  return absl::UnavailableError(StrCat("more than ", kInterimMax, " interim answers to ", method));
}

void HttpExchange::State::TakeHead(const ResponseHead& head, bool decode) {
  status_ = head.status;
  std::string_view coding;
  for (const http::Field& field : head.fields) {
    if (EqualsIgnoreCase(field.name, "content-encoding")) coding = field.value;
  }
  if (decode && framing_.body != ResponseBody::kNone && !switched())
    decoder_ = ContentDecoder::Of(coding);
  const bool decodes = decoder_ != nullptr;
  fields_.reserve(head.fields.size());
  for (const http::Field& field : head.fields) {
    if (decodes && (EqualsIgnoreCase(field.name, "content-encoding") ||
                    EqualsIgnoreCase(field.name, "content-length"))) {
      continue;
    }
    fields_.emplace_back(field.name, field.value);
  }
}

void HttpExchange::State::Finish() {
  ended_ = true;
  // An answer to half a request: the other half would be taken for the next one.
  const bool reusable = sent_ && framing_.keep_alive && lease_->unread().empty();
  EndSending();
  if (reusable) {
    lease_.PutBack();
  } else {
    lease_.Drop();
  }
}

absl::StatusOr<std::string_view> HttpExchange::State::NextCoded() {
  lease_->Consume(std::exchange(unconsumed_, 0));
  if (framing_.body == ResponseBody::kChunked) return NextChunk();
  const bool until_close = framing_.body == ResponseBody::kUntilClose;
  if (!until_close && left_ == 0) return std::string_view();
  if (lease_->unread().empty()) {
    absl::StatusOr<size_t> got = lease_->Fill();
    if (!got.ok()) return got.status();
    if (*got == 0 && !until_close) return CutShort();
  }
  const std::span<char> unread = lease_->unread();
  unconsumed_ = until_close ? unread.size() : std::min<uint64_t>(left_, unread.size());
  left_ -= until_close ? 0 : unconsumed_;
  return std::string_view(unread.data(), unconsumed_);
}

absl::StatusOr<std::string_view> HttpExchange::State::NextChunk() {
  for (;;) {
    const std::span<char> unread = lease_->unread();
    std::string_view bytes(unread.data(), unread.size());
    std::string_view data;
    const ChunkedDecoder::Event event = chunked_.Next(bytes, kClientReadBytes, data);
    const size_t taken = unread.size() - bytes.size();
    switch (event) {
      case ChunkedDecoder::Event::kData:
        // Its bytes must stand until the next call.
        unconsumed_ = taken;
        return data;
      case ChunkedDecoder::Event::kDone:
        lease_->Consume(taken);
        TakeTrailers();
        return std::string_view();
      case ChunkedDecoder::Event::kBad:
        return absl::UnavailableError("the server's answer is malformed: its chunks");
      case ChunkedDecoder::Event::kNeedMore:
        lease_->Consume(taken);
        absl::StatusOr<size_t> got = lease_->Fill();
        if (!got.ok()) return got.status();
        if (*got == 0) return CutShort();
    }
  }
}

void HttpExchange::State::TakeTrailers() {
  for (const http::Field& field : chunked_.trailers()) {
    trailers_.emplace_back(field.name, field.value);
  }
}

absl::StatusOr<std::string_view> HttpExchange::State::NextDecoded() {
  for (;;) {
    if (coded_.empty() && !decoder_->has_more()) {
      absl::StatusOr<std::string_view> coded = NextCoded();
      if (!coded.ok()) return coded;
      if (coded->empty()) return decoder_->at_end() ? coded : CutShort();
      coded_ = *coded;
    }
    if (absl::Status status = decoder_->Next(coded_, decoded_); !status.ok()) return status;
    if (!decoded_.empty()) return decoded_;
  }
}

absl::StatusOr<std::string_view> HttpExchange::State::Next() {
  if (ended_) {
    if (!failure_.ok()) return failure_;
    return std::string_view();
  }
  absl::StatusOr<std::string_view> piece = decoder_ != nullptr ? NextDecoded() : NextCoded();
  if (!piece.ok()) return Fail(piece.status());
  if (piece->empty()) Finish();
  return piece;
}

// Straight from the connection into its place.
absl::StatusOr<std::string> HttpExchange::State::ReadLength(size_t bytes_max) {
  if (left_ > bytes_max) return Fail(TooLarge(bytes_max));
  // One byte more is asked for: a read that yields less than that has drained the connection, and
  // needs no second one to see it; one that yields it has bytes that nobody asked for.
  std::string body(left_ + 1, '\0');
  size_t have = std::min<uint64_t>(left_, lease_->unread().size());
  memcpy(body.data(), lease_->unread().data(), have);
  lease_->Consume(have);
  while (have < left_) {
    absl::StatusOr<size_t> got = lease_->Read(std::span<char>(body).subspan(have));
    if (!got.ok()) return Fail(got.status());
    if (*got == 0) return Fail(CutShort());
    have += *got;
  }
  if (have > left_) framing_.keep_alive = false;
  body.resize(left_);
  left_ = 0;
  Finish();
  return body;
}

absl::StatusOr<std::string> HttpExchange::State::ReadAll(size_t bytes_max) {
  if (!ended_ && decoder_ == nullptr && framing_.body == ResponseBody::kLength) {
    lease_->Consume(std::exchange(unconsumed_, 0));
    return ReadLength(bytes_max);
  }
  std::string body;
  for (;;) {
    absl::StatusOr<std::string_view> piece = Next();
    if (!piece.ok()) return piece.status();
    if (piece->empty()) return body;
    if (piece->size() > bytes_max - body.size()) return Fail(TooLarge(bytes_max));
    body.append(*piece);
  }
}

void HttpExchange::State::Discard() {
  decoder_ = nullptr;
  if (framing_.body == ResponseBody::kUntilClose) return;
  for (size_t left = kDiscardBytesMax; !ended_;) {
    absl::StatusOr<std::string_view> piece = Next();
    if (!piece.ok() || piece->size() > left) return;
    left -= piece->size();
  }
}

absl::StatusOr<std::unique_ptr<SwitchedConnection>> HttpExchange::TakeConnection() {
  if (!state_->switched()) {
    return absl::FailedPreconditionError(
        StrCat("the server answers ", state_->status(), " and does not switch protocols"));
  }
  ConnectionPool::Lease lease = state_->TakeLease();
  if (!lease) return absl::FailedPreconditionError("the connection was taken already");
  return std::make_unique<SwitchedConnection>(std::move(lease));
}

HttpExchange::HttpExchange(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpExchange::HttpExchange(HttpExchange&&) noexcept = default;
HttpExchange& HttpExchange::operator=(HttpExchange&&) noexcept = default;
HttpExchange::~HttpExchange() = default;

int HttpExchange::status() const {
  return state_->status();
}

HttpProtocol HttpExchange::protocol() const {
  return state_->protocol();
}

const std::string& HttpExchange::url() const {
  return state_->url();
}

const HttpFields& HttpExchange::fields() const {
  return state_->fields();
}

const HttpFields& HttpExchange::trailers() const {
  return state_->trailers();
}

std::string_view HttpExchange::Field(std::string_view name) const {
  for (const auto& [each, value] : state_->fields()) {
    if (EqualsIgnoreCase(each, name)) return value;
  }
  return "";
}

absl::StatusOr<std::string_view> HttpExchange::Next() {
  return state_->Next();
}

absl::StatusOr<std::string> HttpExchange::ReadAll(size_t bytes_max) {
  return state_->ReadAll(bytes_max);
}

}  // namespace grove::http
