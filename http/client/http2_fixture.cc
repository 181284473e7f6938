#include "http/client/http2_fixture.h"

#include <algorithm>

namespace grove::http {

struct Http2Peer::Callbacks {
  static Http2Peer& Self(void* self) { return *static_cast<Http2Peer*>(self); }
  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                      size_t name_bytes, const uint8_t* value, size_t value_bytes, uint8_t,
                      void* self) {
    Self(self).requests_[frame->hd.stream_id].fields.emplace_back(
        std::string(reinterpret_cast<const char*>(name), name_bytes),
        std::string(reinterpret_cast<const char*>(value), value_bytes));
    return 0;
  }
  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* self) {
    const int32_t id = frame->hd.stream_id;
    const bool of_message = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (of_message) Self(self).requests_[id].has_head = true;
    if (of_message && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
      Self(self).requests_[id].ended = true;
    }
    if (frame->hd.type == NGHTTP2_RST_STREAM) {
      Self(self).requests_[id].reset = frame->rst_stream.error_code;
    }
    if (frame->hd.type == NGHTTP2_GOAWAY) Self(self).goaway_ = frame->goaway.error_code;
    if (frame->hd.type == NGHTTP2_PING) ++Self(self).pings_;
    return 0;
  }
  static int OnChunk(nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, size_t bytes,
                     void* self) {
    Self(self).requests_[id].body.append(reinterpret_cast<const char*>(data), bytes);
    return 0;
  }
  static ssize_t OnPull(nghttp2_session*, int32_t id, uint8_t* out, size_t room, uint32_t* flags,
                        nghttp2_data_source*, void* self) {
    Outgoing& from = Self(self).outgoing_[id];
    const size_t bytes = std::min(room, from.bytes.size());
    from.bytes.copy(reinterpret_cast<char*>(out), bytes);
    from.bytes.erase(0, bytes);
    from.sent += bytes;
    if (from.bytes.empty() && from.ends) *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (bytes == 0 && !from.ends) return NGHTTP2_ERR_DEFERRED;
    return static_cast<ssize_t>(bytes);
  }
};

Http2Peer::Http2Peer(Stream& stream, const Options& options) : stream_(stream) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, Callbacks::OnHeader);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, Callbacks::OnFrame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Callbacks::OnChunk);
  nghttp2_option* option = nullptr;
  nghttp2_option_new(&option);
  nghttp2_option_set_no_auto_window_update(option, options.opens_windows ? 0 : 1);
  nghttp2_option_set_no_auto_ping_ack(option, options.answers_pings ? 0 : 1);
  // What it sends is what a test says, right or wrong.
  nghttp2_option_set_no_http_messaging(option, 1);
  EXPECT_EQ(nghttp2_session_server_new2(&session_, callbacks, this, option), 0);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  const nghttp2_settings_entry settings = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
                                           options.streams_max};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, &settings, 1);
}

int32_t Http2Peer::Next() {
  int32_t found = 0;
  Until([&] {
    for (const auto& [id, request] : requests_) {
      if (id > yielded_ && request.ended) {
        found = yielded_ = id;
        return true;
      }
    }
    return false;
  });
  return found;
}

void Http2Peer::Headers(int32_t id, const HttpFields& fields, bool ends) {
  std::vector<nghttp2_nv> block;
  for (const auto& [name, value] : fields) {
    block.push_back({reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
                     reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(),
                     value.size(), NGHTTP2_NV_FLAG_NONE});
  }
  EXPECT_EQ(nghttp2_submit_headers(session_, ends ? NGHTTP2_FLAG_END_STREAM : 0, id, nullptr,
                                   block.data(), block.size(), nullptr),
            0);
  Flush();
}

void Http2Peer::Data(int32_t id, std::string_view bytes, bool ends) {
  Outgoing& out = outgoing_[id];
  out.bytes.append(bytes);
  out.ends = ends;
  if (std::exchange(out.begun, true)) {
    nghttp2_session_resume_data(session_, id);
  } else {
    nghttp2_data_provider provider{};
    provider.read_callback = Callbacks::OnPull;
    EXPECT_EQ(nghttp2_submit_data(session_, NGHTTP2_FLAG_END_STREAM, id, &provider), 0);
  }
  Flush();
}

std::string Http2Peer::Frame(uint8_t type, uint8_t flags, int32_t id, std::string_view payload) {
  const auto number = static_cast<uint32_t>(id);
  const size_t size = payload.size();
  std::string frame;
  for (const size_t shift : {16, 8, 0}) frame.push_back(static_cast<char>(size >> shift));
  frame.push_back(static_cast<char>(type));
  frame.push_back(static_cast<char>(flags));
  for (const size_t shift : {24, 16, 8, 0}) frame.push_back(static_cast<char>(number >> shift));
  return frame.append(payload);
}

bool Http2Peer::Flush() {
  std::string out;
  for (;;) {
    const uint8_t* piece = nullptr;
    const ssize_t bytes = nghttp2_session_mem_send(session_, &piece);
    if (bytes < 0) return false;
    if (bytes == 0) break;
    out.append(reinterpret_cast<const char*>(piece), static_cast<size_t>(bytes));
  }
  return out.empty() || stream_.Write(out).ok();
}

}  // namespace grove::http
