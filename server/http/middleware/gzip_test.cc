#include "server/http/middleware/gzip.h"

#include <zlib.h>

#include "runtime/hub/hub_fixture.h"
#include "server/http/middleware/middleware_fixture.h"

namespace grove::http {
namespace {

// Whatever of `bytes` can be decoded; "broken" if it is no gzip.
std::string Unzip(std::string_view bytes) {
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  std::string out(4 << 20, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = bytes.size();
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = out.size();
  const int result = inflate(&stream, Z_SYNC_FLUSH);
  out.resize(out.size() - stream.avail_out);
  inflateEnd(&stream);
  return result == Z_OK || result == Z_STREAM_END ? out : "broken";
}

class GzipTest : public MiddlewareFixture {
 protected:
  GzipTest() { fields_ = {{"Accept-Encoding", "gzip, br"}}; }

  Answered AskFor(std::string_view type, std::string_view body,
                  const std::vector<std::pair<std::string, std::string>>& fields = {},
                  int status = 200) {
    return Ask(Gzip({}), [=](Request&, Response& response) {
      for (const auto& [name, value] : fields) response.Add(name, value);
      return response.Send(status, type, body);
    });
  }
  // In pieces, with Content-Length if there is one.
  Answered Stream(const std::vector<std::string>& pieces, std::string_view length = "") {
    return Ask(Gzip({}), [=](Request&, Response& response) -> absl::Status {
      response.Add("Content-Type", "text/plain");
      if (!length.empty()) response.Add("Content-Length", length);
      for (const std::string& piece : pieces) {
        if (absl::Status written = response.Write(piece); !written.ok()) return written;
      }
      return absl::OkStatus();
    });
  }

  const std::string text_ = std::string(5000, 'x');
};

TEST_F(GzipTest, CompressesAWholeBodyWithItsLength) {
  const Answered answered = AskFor("text/plain", text_, {{"ETag", "\"v1\""}});
  EXPECT_EQ(answered.Field("Content-Encoding"), "gzip");
  EXPECT_EQ(answered.Field("Vary"), "Accept-Encoding");
  EXPECT_EQ(answered.Field("ETag"), "W/\"v1\"");
  EXPECT_EQ(answered.Field("Content-Type"), "text/plain");
  EXPECT_EQ(answered.length, answered.Body().size());
  EXPECT_LT(answered.Body().size(), 200);
  EXPECT_EQ(Unzip(answered.Body()), text_);
  EXPECT_TRUE(answered.finished);
}

TEST_F(GzipTest, LeavesAlonePlainClientsButTellsCaches) {
  fields_ = {{"Accept-Encoding", "gzip;q=0"}};
  const Answered answered = AskFor("text/plain", text_, {{"ETag", "\"v1\""}});
  EXPECT_EQ(answered.Field("Content-Encoding"), "");
  EXPECT_EQ(answered.Field("Vary"), "Accept-Encoding");
  EXPECT_EQ(answered.Field("ETag"), "\"v1\"");
  EXPECT_EQ(answered.Body(), text_);
  fields_ = {};
  EXPECT_EQ(AskFor("text/plain", text_).Body(), text_);
}

TEST_F(GzipTest, LeavesAloneWhatIsNotWorthItOrMustNotChange) {
  EXPECT_EQ(AskFor("text/plain", std::string(1023, 'x')).Field("Content-Encoding"), "");
  EXPECT_EQ(AskFor("text/plain", std::string(1024, 'x')).Field("Content-Encoding"), "gzip");
  EXPECT_EQ(AskFor("image/png", text_).Field("Vary"), "");
  EXPECT_EQ(AskFor("", text_).Field("Content-Encoding"), "");
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
           {"Content-Encoding", "br"},
           {"Content-Range", "bytes 0-1/2"},
           {"Cache-Control", "public, No-Transform"}}) {
    EXPECT_EQ(AskFor("text/plain", text_, {{name, value}}).Body(), text_) << name;
  }
  for (const int status : {204, 206, 304}) {
    const Answered answered = AskFor("text/plain", text_, {}, status);
    EXPECT_EQ(answered.Field("Content-Encoding") + answered.Field("Vary"), "") << status;
  }
}

TEST_F(GzipTest, LeavesHeadAlone) {
  method_ = "HEAD";
  const Answered answered = AskFor("text/plain", text_);
  EXPECT_EQ(answered.Field("Content-Encoding"), "");
  EXPECT_EQ(answered.Field("Vary"), "Accept-Encoding");
}

TEST_F(GzipTest, FlushesEveryPieceOfAStream) {
  const Answered answered = Stream({"one ", "two ", "three"});
  EXPECT_EQ(answered.length, std::nullopt);
  ASSERT_EQ(answered.pieces.size(), 4) << "and the trailer";
  EXPECT_EQ(Unzip(answered.pieces[0]), "one ");
  EXPECT_EQ(Unzip(answered.pieces[0] + answered.pieces[1]), "one two ");
  EXPECT_EQ(Unzip(answered.Body()), "one two three");
}

TEST_F(GzipTest, DropsADeclaredLengthAndNeedNotFlush) {
  const Answered answered = Stream({std::string(3000, 'a'), std::string(3000, 'b')}, "6000");
  EXPECT_EQ(answered.Field("Content-Length"), "");
  EXPECT_EQ(Unzip(answered.Body()), std::string(3000, 'a') + std::string(3000, 'b'));
  EXPECT_LE(answered.pieces.size(), 2);
  EXPECT_EQ(Stream({"short"}, "5").Field("Content-Length"), "5");
}

TEST_F(GzipTest, CompressesLongBodiesInSlices) {
  std::string body;
  for (int i = 0; body.size() < (1 << 20); ++i) body += std::to_string(i * 7919) + " ";
  auto hub = *Hub::Create({});
  RunOn(*hub, [&] {
    EXPECT_EQ(Unzip(AskFor("text/plain", body).Body()), body);
    EXPECT_EQ(Unzip(Stream({body, "end"}).Body()), body + "end");
  });
}

TEST_F(GzipTest, LeavesAFailureToTheServer) {
  const Answered answered =
      Ask(Gzip({}), [](Request&, Response&) { return absl::NotFoundError("no"); });
  EXPECT_TRUE(absl::IsNotFound(answered.result));
  EXPECT_EQ(answered.status, 0);
}

}  // namespace
}  // namespace grove::http
