#include "http/websocket/deflate_codec.h"

#include <zlib.h>

#include <algorithm>

namespace grove::http::websocket {
namespace {

// What every sync flush ends in, and no payload does (RFC 7692, 7.2.1).
constexpr std::string_view kTail("\x00\x00\xff\xff", 4);
// zlib's hash table of 2^(level + 9) bytes: 16 KiB, an eighth of its default. Costs a few percent
// of compression.
constexpr int kMemoryLevel = 5;
// On the stack of a fiber.
constexpr size_t kStepBytes = 4096;
// z_stream::data_type after inflate(): between two blocks.
constexpr int kBetweenBlocks = 128;

Bytef* Input(std::string_view bytes) {
  return reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
}

}  // namespace

Deflater::Deflater(int window_bits, int level, bool context_takeover)
    : window_bits_(window_bits), level_(level), context_takeover_(context_takeover) {}

Deflater::~Deflater() {
  Release();
}

void Deflater::Release() {
  if (stream_ != nullptr) deflateEnd(stream_.get());
  stream_.reset();
}

bool Deflater::Open() {
  if (stream_ != nullptr) return true;
  stream_ = std::make_unique<z_stream>();
  // zlib has no raw window of 2^8: it refuses, or quietly takes 2^9, whose distances such a peer
  // can't follow. Runs alone (Z_RLE) have a distance of one, which any window holds.
  const bool tiny = window_bits_ < 9;
  const int made = deflateInit2(stream_.get(), level_, Z_DEFLATED, -std::max(window_bits_, 9),
                                kMemoryLevel, tiny ? Z_RLE : Z_DEFAULT_STRATEGY);
  if (made == Z_OK) return true;
  stream_.reset();
  return false;
}

bool Deflater::Run(std::string_view piece, int flush, std::string& out) {
  if (!Open()) return false;
  char step[kStepBytes];
  stream_->next_in = Input(piece);
  stream_->avail_in = static_cast<uInt>(piece.size());
  do {
    stream_->next_out = reinterpret_cast<Bytef*>(step);
    stream_->avail_out = sizeof(step);
    // Z_BUF_ERROR, which is none, where nothing was left to do.
    if (const int done = deflate(stream_.get(), flush); done != Z_OK && done != Z_BUF_ERROR) {
      return false;
    }
    out.append(step, sizeof(step) - stream_->avail_out);
  } while (stream_->avail_out == 0);
  return true;
}

bool Deflater::Add(std::string_view piece, std::string& out) {
  return Run(piece, Z_NO_FLUSH, out);
}

bool Deflater::Finish(std::string& out) {
  if (!Run({}, Z_SYNC_FLUSH, out)) return false;
  if (std::string_view(out).ends_with(kTail)) out.resize(out.size() - kTail.size());
  if (!context_takeover_) Release();
  return true;
}

Inflater::Inflater(int window_bits, bool context_takeover)
    : window_bits_(window_bits), context_takeover_(context_takeover) {}

Inflater::~Inflater() {
  Release();
}

void Inflater::Release() {
  if (stream_ != nullptr) inflateEnd(stream_.get());
  stream_.reset();
}

bool Inflater::Open() {
  if (stream_ != nullptr) return true;
  stream_ = std::make_unique<z_stream>();
  // Clients on zlib that agreed to 2^8 use 2^9.
  if (inflateInit2(stream_.get(), -std::max(window_bits_, 9)) == Z_OK) return true;
  stream_.reset();
  return false;
}

Inflater::Result Inflater::Add(std::string_view piece, Sink sink) {
  if (!Open()) return Result::kNoMemory;
  char step[kStepBytes];
  stream_->next_in = Input(piece);
  stream_->avail_in = static_cast<uInt>(piece.size());
  for (;;) {
    stream_->next_out = reinterpret_cast<Bytef*>(step);
    stream_->avail_out = sizeof(step);
    const int done = inflate(stream_.get(), Z_SYNC_FLUSH);
    const size_t bytes = sizeof(step) - stream_->avail_out;
    if (bytes > 0 && !sink({step, bytes})) return Result::kRefused;
    if (done == Z_MEM_ERROR) return Result::kNoMemory;
    if (done == Z_STREAM_END) {
      // A sender may end a block with BFINAL and go on (RFC 7692, 7.2.3.4); the window stays.
      if (inflateResetKeep(stream_.get()) != Z_OK) return Result::kMalformed;
      if (stream_->avail_in == 0) return Result::kOk;
    } else if (done != Z_OK && done != Z_BUF_ERROR) {
      return Result::kMalformed;
    } else if (stream_->avail_out > 0) {
      return Result::kOk;  // the input is used up
    }
  }
}

Inflater::Result Inflater::Finish(Sink sink) {
  Result result = Add(kTail, sink);
  if (result != Result::kOk) return result;
  if ((stream_->data_type & kBetweenBlocks) == 0) result = Result::kMalformed;
  if (!context_takeover_) Release();
  return result;
}

}  // namespace grove::http::websocket
