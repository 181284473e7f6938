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
  const Answered answered = AskFor("text/plain", text_, {}, 204);
  EXPECT_EQ(answered.Field("Content-Encoding") + answered.Field("Vary"), "");
}

TEST_F(GzipTest, SendsPartsOfThePlainFormAndTellsCaches) {
  for (const char* type : {"text/plain", "multipart/byteranges; boundary=x"}) {
    const Answered part =
        AskFor(type, text_, {{"ETag", "\"v1\""}, {"Content-Range", "bytes 0-4999/9000"}}, 206);
    EXPECT_EQ(part.Body(), text_);
    EXPECT_EQ(part.Field("Content-Encoding"), "");
    EXPECT_EQ(part.Field("ETag"), "\"v1\"");
    EXPECT_EQ(part.Field("Vary"), "Accept-Encoding") << type;
  }
  EXPECT_EQ(AskFor("image/png", text_, {}, 206).Field("Vary"), "");
}

TEST_F(GzipTest, GivesHeadTheFieldsOfGet) {
  const std::vector<std::pair<std::string, std::string>> fields = {{"ETag", "\"v1\""},
                                                                   {"Accept-Ranges", "bytes"}};
  for (const char* accepted : {"gzip", "identity"}) {
    fields_ = {{"Accept-Encoding", accepted}};
    method_ = "GET";
    const Answered get = AskFor("text/plain", text_, fields);
    method_ = "HEAD";
    const Answered head = AskFor("text/plain", text_, fields);
    EXPECT_EQ(head.fields, get.fields) << accepted;
    EXPECT_EQ(head.length, get.length) << accepted;
    EXPECT_EQ(head.Field("Accept-Ranges"), accepted == std::string("gzip") ? "" : "bytes");
  }
}

// As a file's handler answers HEAD: with the length of the plain form, and nothing written.
TEST_F(GzipTest, GivesHeadNoLengthThatNobodyHasFound) {
  method_ = "HEAD";
  const Answered answered = Ask(Gzip({}), [](Request&, Response& response) {
    response.Add("Content-Type", "text/plain");
    response.Add("Content-Length", "5000");
    return absl::OkStatus();
  });
  EXPECT_EQ(answered.Field("Content-Encoding"), "gzip");
  EXPECT_EQ(answered.Field("Content-Length"), "");
  EXPECT_EQ(answered.length, std::nullopt);
  EXPECT_EQ(answered.Body(), "");
  const Answered streamed = Stream({"one", "two"});
  EXPECT_EQ(streamed.Field("Content-Encoding"), "gzip");
  EXPECT_EQ(streamed.Body(), "");
  EXPECT_TRUE(streamed.finished);
}

TEST_F(GzipTest, LetsA304SayWhatThe200Would) {
  const auto ask = [this](std::string_view type, uint64_t length) {
    return Ask(Gzip({}), [=](Request&, Response& response) {
      response.Add("ETag", "\"v1\"");
      return response.SendNotModified(type, length);
    });
  };
  const Answered coded = ask("text/plain", 5000);
  EXPECT_EQ(coded.status, 304);
  EXPECT_EQ(coded.Field("ETag"), "W/\"v1\"");
  EXPECT_EQ(coded.Field("Vary"), "Accept-Encoding");
  EXPECT_EQ(coded.Field("Content-Encoding"), "");
  for (const Answered& plain : {ask("image/png", 5000), ask("text/plain", 1023)}) {
    EXPECT_EQ(plain.Field("ETag"), "\"v1\"");
    EXPECT_EQ(plain.Field("Vary"), "");
  }
  fields_ = {};
  EXPECT_EQ(ask("text/plain", 5000).Field("ETag"), "\"v1\"");
  EXPECT_EQ(ask("text/plain", 5000).Field("Vary"), "Accept-Encoding");
}

TEST_F(GzipTest, TakesTheTagOfAnUndescribed304FromTheClient) {
  for (const auto& [named, answered] : std::vector<std::pair<std::string, std::string>>{
           {"\"x\", W/\"v1\"", "W/\"v1\""}, {"\"v1\"", "\"v1\""}, {"*", "\"v1\""}}) {
    fields_ = {{"Accept-Encoding", "gzip"}, {"If-None-Match", named}};
    const Answered got = AskFor("", "", {{"ETag", "\"v1\""}}, 304);
    EXPECT_EQ(got.Field("ETag"), answered) << named;
    EXPECT_EQ(got.Field("Vary"), "Accept-Encoding") << named;
  }
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
