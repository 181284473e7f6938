#include "http/message/parser_transcript.h"

#include <algorithm>
#include <memory>
#include <span>

#include "http/message/chunked.h"
#include "http/message/parser.h"

namespace grove::http {
namespace {

using Copies = std::vector<std::pair<std::string, std::string>>;

Copies Copy(std::span<const Field> fields) {
  Copies copies;
  for (const Field& field : fields) copies.emplace_back(field.name, field.value);
  return copies;
}

class Reader {
 public:
  Reader(std::string_view stream, const std::function<size_t()>& next_piece, TargetText target_text)
      : stream_(stream), next_piece_(next_piece), parser_(target_text) {}

  Transcript Read() {
    Transcript transcript;
    while (transcript.end == 0 && !closed_) {
      if (buffered().empty() && !More()) break;
      transcript.end = ReadOne(transcript.requests);
    }
    return transcript;
  }

 private:
  std::string_view buffered() const { return {bytes_.get() + used_, filled_ - used_}; }

  // A new block, exactly as large as what it holds, so that a sanitizer sees what reads past it.
  bool More() {
    if (taken_ == stream_.size()) return false;
    const size_t piece = std::min(std::max<size_t>(next_piece_(), 1), stream_.size() - taken_);
    const std::string_view kept = buffered();
    std::unique_ptr<char[]> grown(new char[kept.size() + piece]);
    std::copy(kept.begin(), kept.end(), grown.get());
    std::copy_n(stream_.begin() + taken_, piece, grown.get() + kept.size());
    filled_ = kept.size() + piece;
    std::fill_n(bytes_.get(), used_, '!');
    bytes_ = std::move(grown);
    used_ = 0;
    taken_ += piece;
    return true;
  }

  int ReadOne(std::vector<ParsedRequest>& requests) {
    parser_.Reset();
    RequestParser::Result result;
    while ((result = parser_.Parse(buffered())) == RequestParser::Result::kNeedMore) {
      if (!More()) return -1;
    }
    if (result == RequestParser::Result::kRefused) return parser_.refusal().status;
    const RequestHead& head = parser_.head();
    ParsedRequest request{std::string(head.method),
                          std::string(head.target),
                          std::string(head.path),
                          std::string(head.query),
                          std::string(head.host),
                          head.version_minor,
                          Copy(head.fields),
                          {},
                          {}};
    closed_ = !parser_.framing().keep_alive();
    used_ += parser_.head_bytes();
    int end = 0;
    if (parser_.framing().body() == BodyKind::kLength) end = ReadLength(request.body);
    if (parser_.framing().body() == BodyKind::kChunked) end = ReadChunked(request);
    if (end == 0) requests.push_back(std::move(request));
    return end;
  }

  int ReadLength(std::string& body) {
    uint64_t left = parser_.framing().content_length();
    while (left > 0) {
      if (buffered().empty() && !More()) return -1;
      const std::string_view piece = buffered().substr(0, left);
      body += piece;
      left -= piece.size();
      used_ += piece.size();
    }
    return 0;
  }

  int ReadChunked(ParsedRequest& request) {
    decoder_.Reset();
    while (true) {
      std::string_view rest = buffered();
      std::string_view data;
      const ChunkedDecoder::Event event = decoder_.Next(rest, SIZE_MAX, data);
      if (event == ChunkedDecoder::Event::kData) request.body += data;
      used_ = filled_ - rest.size();
      if (event == ChunkedDecoder::Event::kBad) return 400;
      if (event == ChunkedDecoder::Event::kNeedMore && !More()) return -1;
      if (event == ChunkedDecoder::Event::kDone) {
        request.trailers = Copy(decoder_.trailers());
        return 0;
      }
    }
  }

  const std::string_view stream_;
  const std::function<size_t()>& next_piece_;
  RequestParser parser_;
  ChunkedDecoder decoder_;
  std::unique_ptr<char[]> bytes_;
  size_t used_ = 0;
  size_t filled_ = 0;
  size_t taken_ = 0;
  bool closed_ = false;
};

}  // namespace

std::vector<std::string> Transcript::Lines() const {
  std::vector<std::string> lines;
  for (const ParsedRequest& request : requests) {
    std::string line = request.method + " " + request.path;
    if (!request.query.empty()) line += "?" + request.query;
    line += " HTTP/1." + std::to_string(request.version_minor);
    if (!request.host.empty()) line += " host=" + request.host;
    if (!request.body.empty()) line += " body=" + request.body;
    for (const auto& [name, value] : request.trailers) {
      line.append(" trailer=").append(name).append(":").append(value);
    }
    lines.push_back(std::move(line));
  }
  if (end == -1) lines.push_back("incomplete");
  if (end > 0) lines.push_back(std::to_string(end));
  return lines;
}

Transcript ReadStream(std::string_view stream, const std::function<size_t()>& next_piece,
                      TargetText target_text) {
  return Reader(stream, next_piece, target_text).Read();
}

}  // namespace grove::http
