#include "server/handlers/file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "runtime/switch/abseil_text.h"
#include "server/handlers/media_type.h"
#include "server/http/serving/server_fixture.h"

namespace grove::handlers {
namespace {

namespace fs = std::filesystem;
using http::Client;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::time_t kModified = 784111777;
constexpr char kModifiedText[] = "Sun, 06 Nov 1994 08:49:37 GMT";

TEST(FileNameOf, DecodesWhatFollowsTheRoute) {
  EXPECT_EQ(*FileNameOf("/files/a%20b/c.txt", "/files/"), "a b/c.txt");
  EXPECT_EQ(*FileNameOf("/files/a/", "/files/"), "a/");
  EXPECT_EQ(*FileNameOf("/files/", "/files/"), "");
  EXPECT_EQ(*FileNameOf("/files/.well-known/x", "/files/"), ".well-known/x");
}

TEST(FileNameOf, FindsNothingHiddenOutsideOrAmbiguous) {
  for (const char* path :
       {"/files/..", "/files/../x", "/files/a/../../x", "/files/%2e%2e/x", "/files/.git/config",
        "/files/a/.env", "/files/a%2fb", "/files/..%2fx", "/files//x", "/files/a//b", "/files/%00",
        "/files/a/./b", "/files/a/.well-known/x", "/other/x", "/file"}) {
    EXPECT_TRUE(absl::IsNotFound(FileNameOf(path, "/files/").status())) << path;
  }
  EXPECT_TRUE(absl::IsInvalidArgument(FileNameOf("/files/%zz", "/files/").status()));
}

TEST(MediaTypes, GoByTheLastExtensionInAnyCase) {
  EXPECT_EQ(MediaTypeOf("a/b.tar.GZ"), "application/gzip");
  EXPECT_EQ(MediaTypeOf("index.html"), "text/html; charset=utf-8");
  EXPECT_EQ(MediaTypeOf("README"), "application/octet-stream");
  EXPECT_EQ(MediaTypeOf("x."), "application/octet-stream");
}

class FileTest : public http::ServerFixture {
 protected:
  FileTest() : ServerFixture(Time::kReal) {  // files are opened on the offload pool's thread
    std::string name = testing::TempDir() + "file_XXXXXX";
    root_ = mkdtemp(name.data());
    fs::create_directories(root_ / "sub");
    fs::create_directories(root_ / "bare");
    Write("a.txt", "0123456789");
    Write("sub/index.html", "<p>");
    Write("empty.css", "");
    auto files = std::make_shared<FileHandler>("/files/{path...}", root_.string(), offload_);
    Handle("", "/files/{path...}", [files](http::Request& request, http::Response& response) {
      return files->Serve(request, response);
    });
  }
  ~FileTest() override { fs::remove_all(root_); }
  void Write(const std::string& name, std::string_view content) {
    std::ofstream(root_ / name) << content;
    const timespec times[2] = {{kModified, 0}, {kModified, 0}};
    utimensat(AT_FDCWD, (root_ / name).c_str(), times, 0);
  }
  std::string Ask(std::string_view method, std::string_view name, std::string_view fields = "") {
    Client client = Connect();
    client.Send(StrCat(method, " /files/", name, " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n",
                       fields, "\r\n"));
    return client.ReadAll();
  }
  static std::string FieldOf(const std::string& response, const std::string& name) {
    const size_t at = response.find("\r\n" + name + ": ");
    if (at == std::string::npos) return "";
    const size_t begin = at + name.size() + 4;
    return response.substr(begin, response.find("\r\n", begin) - begin);
  }
  static std::string BodyOf(const std::string& response) {
    return response.substr(response.find("\r\n\r\n") + 4);
  }

  fs::path root_;
  OffloadPool offload_{{.threads = 1}};
};

TEST_F(FileTest, IsServedWithItsValidatorsAndType) {
  Run([&] {
    const std::string response = Ask("GET", "a.txt");
    EXPECT_THAT(response, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_EQ(FieldOf(response, "Content-Type"), "text/plain; charset=utf-8");
    EXPECT_EQ(FieldOf(response, "Content-Length"), "10");
    EXPECT_EQ(FieldOf(response, "Accept-Ranges"), "bytes");
    EXPECT_EQ(FieldOf(response, "Last-Modified"), kModifiedText);
    EXPECT_THAT(FieldOf(response, "ETag"), StartsWith("\""));
    EXPECT_EQ(BodyOf(response), "0123456789");
    EXPECT_THAT(Ask("GET", "empty.css"), EndsWith("Content-Length: 0\r\n\r\n"));
  });
}

TEST_F(FileTest, HeadIsTheSameWithoutBodyOrRange) {
  Run([&] {
    const std::string head = Ask("HEAD", "a.txt", "Range: bytes=0-1\r\n");
    const std::string get = Ask("GET", "a.txt");
    EXPECT_THAT(head, StartsWith("HTTP/1.1 200 OK\r\n"));
    for (const char* name : {"ETag", "Last-Modified", "Content-Type", "Content-Length"}) {
      EXPECT_EQ(FieldOf(head, name), FieldOf(get, name)) << name;
    }
    EXPECT_EQ(BodyOf(head), "");
  });
}

TEST_F(FileTest, ConditionsAreAnswered) {
  Run([&] {
    const std::string etag = FieldOf(Ask("GET", "a.txt"), "ETag");
    const std::string same = Ask("GET", "a.txt", "If-None-Match: " + etag + "\r\n");
    EXPECT_THAT(same, StartsWith("HTTP/1.1 304 Not Modified\r\n"));
    EXPECT_EQ(FieldOf(same, "ETag"), etag);
    EXPECT_EQ(BodyOf(same), "");
    EXPECT_THAT(Ask("GET", "a.txt", StrCat("If-Modified-Since: ", kModifiedText, "\r\n")),
                StartsWith("HTTP/1.1 304 "));
    EXPECT_THAT(Ask("GET", "a.txt", "If-Match: \"x\"\r\n"), StartsWith("HTTP/1.1 412 "));
    Write("a.txt", "01234567890");
    EXPECT_THAT(Ask("GET", "a.txt", "If-None-Match: " + etag + "\r\n"),
                StartsWith("HTTP/1.1 200 "));
  });
}

TEST_F(FileTest, OneRangeComesAsAPart) {
  Run([&] {
    const std::string part = Ask("GET", "a.txt", "Range: bytes=-3\r\n");
    EXPECT_THAT(part, StartsWith("HTTP/1.1 206 Partial Content\r\n"));
    EXPECT_EQ(FieldOf(part, "Content-Range"), "bytes 7-9/10");
    EXPECT_EQ(FieldOf(part, "Content-Length"), "3");
    EXPECT_EQ(BodyOf(part), "789");
    EXPECT_THAT(Ask("GET", "a.txt", "Range: bytes=0-1\r\nRange: bytes=0-1\r\n"),
                StartsWith("HTTP/1.1 200 "));
  });
}

TEST_F(FileTest, SeveralRangesComeAsMultipart) {
  Run([&] {
    const std::string response = Ask("GET", "a.txt", "Range: bytes=0-1,8-\r\n");
    const std::string type = FieldOf(response, "Content-Type");
    ASSERT_THAT(type, StartsWith("multipart/byteranges; boundary="));
    const std::string line = "--" + type.substr(type.find('=') + 1);
    const auto part = [&](std::string_view range, std::string_view bytes) {
      return StrCat(line, "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes ",
                    range, "/10\r\n\r\n", bytes, "\r\n");
    };
    const std::string body = BodyOf(response);
    EXPECT_EQ(body, part("0-1", "01") + part("8-9", "89") + line + "--\r\n");
    EXPECT_EQ(FieldOf(response, "Content-Length"), StrCat(body.size()));
    EXPECT_EQ(FieldOf(response.substr(0, response.find("\r\n\r\n")), "Content-Range"), "");
  });
}

TEST_F(FileTest, ARangeOutsideIsAnsweredWithTheSize) {
  Run([&] {
    const std::string response = Ask("GET", "a.txt", "Range: bytes=10-\r\n");
    EXPECT_THAT(response, StartsWith("HTTP/1.1 416 Range Not Satisfiable\r\n"));
    EXPECT_EQ(FieldOf(response, "Content-Range"), "bytes */10");
  });
}

TEST_F(FileTest, IfRangeDecidesWhetherARangeStands) {
  Run([&] {
    const std::string etag = FieldOf(Ask("GET", "a.txt"), "ETag");
    EXPECT_THAT(Ask("GET", "a.txt", "Range: bytes=0-1\r\nIf-Range: " + etag + "\r\n"),
                StartsWith("HTTP/1.1 206 "));
    EXPECT_THAT(Ask("GET", "a.txt", "Range: bytes=0-1\r\nIf-Range: \"x\"\r\n"),
                StartsWith("HTTP/1.1 200 "));
  });
}

TEST_F(FileTest, AFolderIsItsIndexBehindASlash) {
  Run([&] {
    const std::string redirect = Ask("GET", "sub?a=b");
    EXPECT_THAT(redirect, StartsWith("HTTP/1.1 301 "));
    EXPECT_EQ(FieldOf(redirect, "Location"), "/files/sub/?a=b");
    EXPECT_EQ(FieldOf(Ask("GET", "%5Cx/../sub?a=[%22]"), "Location"), "/files/sub/?a=%5B%22%5D");
    const std::string index = Ask("GET", "sub/");
    EXPECT_EQ(FieldOf(index, "Content-Type"), "text/html; charset=utf-8");
    EXPECT_EQ(BodyOf(index), "<p>");
    EXPECT_THAT(Ask("GET", "bare/"), StartsWith("HTTP/1.1 404 "));
  });
}

TEST_F(FileTest, WhatIsNotThereIsNotFound) {
  Run([&] {
    EXPECT_THAT(Ask("GET", "none"), EndsWith("Not Found\r\n"));
    EXPECT_THAT(Ask("GET", "none"), Not(HasSubstr(root_.string())));
    EXPECT_THAT(Ask("GET", "%zz"), StartsWith("HTTP/1.1 400 "));
    const std::string post = Ask("POST", "a.txt");
    EXPECT_THAT(post, StartsWith("HTTP/1.1 405 "));
    EXPECT_EQ(FieldOf(post, "Allow"), "GET, HEAD");
  });
}

}  // namespace
}  // namespace grove::handlers
