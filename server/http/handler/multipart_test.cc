#include "server/http/handler/multipart.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/hub/hub.h"

namespace grove::http {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Gives a body in pieces of `step` bytes.
class Pieces final : public BodySource {
 public:
  Pieces(std::string body, size_t step) : body_(std::move(body)), step_(step) {}
  absl::StatusOr<size_t> Read(std::span<char> buffer) override {
    const size_t got = std::min({buffer.size(), step_, body_.size() - at_});
    body_.copy(buffer.data(), got, at_);
    at_ += got;
    return got;
  }
  bool at_end() const { return at_ == body_.size(); }

 private:
  const std::string body_;
  const size_t step_;
  size_t at_ = 0;
};

// "name=content" or "name@filename(type)=content" of each part, or the error at the end.
std::vector<std::string> Listed(std::string body, size_t step, std::string_view boundary = "B",
                                const MultipartLimits& limits = {}) {
  Pieces pieces(std::move(body), step);
  Multipart form(pieces, boundary, limits);
  std::vector<std::string> listed;
  for (;;) {
    const absl::StatusOr<std::optional<Part>> part = form.Next();
    if (!part.ok()) {
      EXPECT_EQ(part.status().code(), absl::StatusCode::kInvalidArgument);
      EXPECT_EQ(form.Next().status(), part.status());
      listed.emplace_back(part.status().message());
      return listed;
    }
    if (!*part) break;
    const absl::StatusOr<std::string> text = form.ReadText(1 << 20);
    std::string line = (*part)->name;
    if ((*part)->filename) line += "@" + *(*part)->filename + "(" + (*part)->content_type + ")";
    listed.push_back(line + "=" + (text.ok() ? *text : std::string(text.status().message())));
    if (!text.ok()) return listed;
  }
  EXPECT_TRUE(pieces.at_end());
  EXPECT_FALSE(form.Next()->has_value());
  return listed;
}

// However the bytes come, it is the same.
std::vector<std::string> All(const std::string& body, std::string_view boundary = "B") {
  std::vector<std::string> whole = Listed(body, body.size() + 1, boundary);
  for (size_t step = 1; step < 12; ++step) {
    EXPECT_EQ(Listed(body, step, boundary), whole) << "by " << step;
  }
  return whole;
}

std::string Named(std::string_view name, std::string_view content) {
  return "--B\r\nContent-Disposition: form-data; name=" + std::string(name) + "\r\n\r\n" +
         std::string(content) + "\r\n";
}

TEST(Multipart, GivesPartsInTheirOrder) {
  EXPECT_THAT(All(Named("a", "1") + Named("\"b c\"", "") + Named("a", "\r\n2\r\n") + "--B--\r\n"),
              ElementsAre("a=1", "b c=", "a=\r\n2\r\n"));
  EXPECT_THAT(All("--B--\r\n"), IsEmpty());
  EXPECT_THAT(All("--B--"), IsEmpty());
}

TEST(Multipart, AFileHasANameWithoutFoldersAndAType) {
  const auto file = [](const std::string& filename) {
    return "--B\r\ncontent-disposition: form-data; filename=" + filename +
           "; name=\"f\"\r\nContent-Type: image/png; a=b\r\n\r\nx\r\n--B--";
  };
  EXPECT_THAT(All(file("\"a.png\"")), ElementsAre("f@a.png(image/png; a=b)=x"));
  EXPECT_THAT(All(file("\"../../etc/a.png\"")), ElementsAre("f@a.png(image/png; a=b)=x"));
  EXPECT_THAT(All(file("\"C:\\pictures\\new.png\"")), ElementsAre("f@new.png(image/png; a=b)=x"));
  EXPECT_THAT(All(file("\"a \\\"b\\\".png\"")), ElementsAre("f@a \"b\".png(image/png; a=b)=x"));
  EXPECT_THAT(All(file("\"\"")), ElementsAre("f@(image/png; a=b)=x"));
  EXPECT_THAT(All(file("\"\xc3\xa4;.png\"")), ElementsAre("f@\xc3\xa4;.png(image/png; a=b)=x"));
  EXPECT_THAT(All(file("\"a\"; filename*=UTF-8''b")), ElementsAre("f@a(image/png; a=b)=x"));
}

TEST(Multipart, IsWhatCurlSends) {
  const std::string boundary = "------------------------56096f58a4272129";
  const std::string line = "--" + boundary + "\r\nContent-Disposition: form-data; name=";
  EXPECT_THAT(All(line + "\"a\"\r\n\r\n1 2\r\n" + line +
                      "\"f\"; filename=\"x%22y.png\"\r\nContent-Type: image/png\r\n\r\n"
                      "hello\r\n--\r\n" +
                      line + "\"empty\"\r\n\r\n\r\n--" + boundary + "--\r\n",
                  boundary),
              ElementsAre("a=1 2", "f@x%22y.png(image/png)=hello\r\n--", "empty="));
}

TEST(Multipart, WhatIsNearlyADelimiterIsContent) {
  for (const char* content : {"\r\n--", "\r\n--C", "\r\n--Bx", "\r\n--B-", "\r\n--B--x", "\n--B\n",
                              "\r\r\n-", "\r\n--B x", "\r\n\r\n--\r\n--Bb\r\n"}) {
    EXPECT_THAT(All(Named("a", content) + "--B--\r\n"), ElementsAre(std::string("a=") + content));
  }
  const std::string blanks(64, ' ');
  EXPECT_THAT(
      All(Named("a", "1") + "--B" + blanks + "\r\n" + Named("b", "2").substr(5) + "--B-- \t"),
      ElementsAre("a=1", "b=2"));
  EXPECT_THAT(All(Named("a", "\r\n--B" + blanks + " \r\n") + "--B--"),
              ElementsAre("a=\r\n--B" + blanks + " \r\n"));
}

TEST(Multipart, WhatStandsBeforeAndBehindSaysNothing) {
  EXPECT_THAT(All("once\r\n--Bx\r\n" + Named("a", "1") + "--B--\r\nmore\r\n--B\r\n"),
              ElementsAre("a=1"));
}

TEST(Multipart, APartMayEndWithItsHead) {
  // RFC 2046, 5.1.1: the line end before a delimiter is the delimiter's.
  EXPECT_THAT(All("--B\r\nContent-Disposition: form-data; name=a\r\n\r\n--B--"), ElementsAre("a="));
}

TEST(Multipart, RefusesWhatIsMalformed) {
  const auto last = [](const std::string& body) { return All(body).back(); };
  const auto head = [&](const std::string& lines) {
    return last("--B\r\n" + lines + "\r\n\r\nx\r\n--B--");
  };
  EXPECT_EQ(last(""), "multipart: the body ends within a part");
  EXPECT_EQ(last("x"), "multipart: the body ends within a part");
  EXPECT_EQ(last("--B\r\nContent-Dis"), "multipart: the body ends before a part's content");
  EXPECT_EQ(last(Named("a", "1")), "a=multipart: the body ends within a part");
  EXPECT_EQ(last(Named("a", "1") + "--B-"), "a=multipart: the body ends within a part");
  EXPECT_EQ(last("--B\r\n\r\nx\r\n--B--"), "multipart: a part without a name");
  EXPECT_EQ(head("Content-Type: text/plain"), "multipart: a part without a name");
  EXPECT_EQ(head("Content-Disposition: form-data"), "multipart: a part without a name");
  EXPECT_THAT(head("Content-Disposition: attachment; name=a"), HasSubstr("no form-data"));
  EXPECT_THAT(head("Content-Disposition: form-data; name=a; name=b"), HasSubstr("twice"));
  EXPECT_THAT(head("Content-Disposition: form-data; name=\"a"), HasSubstr("without a value"));
  EXPECT_THAT(head("Content-Disposition: form-data; name"), HasSubstr("without a value"));
  EXPECT_THAT(head("Content-Disposition: form-data; name=\"a\"b"), HasSubstr("no ';'"));
  EXPECT_THAT(head("Content-Disposition: form-data; name=\"\xff\""), HasSubstr("no UTF-8"));
  EXPECT_THAT(head("Content-Disposition: form-data; name=\"a\tb\""),
              HasSubstr("control character"));
  EXPECT_THAT(head("Content-Disposition: form-data; name=a\nX: b"), HasSubstr("control character"));
  const std::string good = "Content-Disposition: form-data; name=a\r\n";
  EXPECT_THAT(head(good + "Content-Disposition: form-data; name=b"), HasSubstr("two"));
  EXPECT_THAT(head(good + " folded"), HasSubstr("folded"));
  EXPECT_THAT(head(good + "noname"), HasSubstr("without a name before"));
  EXPECT_THAT(head(good + "X : b"), HasSubstr("without a name before"));
  EXPECT_THAT(head(good + "Content-Transfer-Encoding: base64"), HasSubstr("encoding"));
  EXPECT_EQ(head(good + "Content-Transfer-Encoding: BINARY"), "a=x");
}

TEST(Multipart, HasBounds) {
  EXPECT_THAT(Listed(Named("a", "1") + Named("b", "2") + "--B--", 100, "B", {.parts_max = 1}),
              ElementsAre("a=1", "multipart: more than 1 parts"));
  const std::string long_head = "--B\r\nX: " + std::string(200, 'x');
  EXPECT_EQ(Listed(long_head, 7, "B", {.head_bytes_max = 100}).back(),
            "multipart: more than 100 bytes before a part's content");
  Pieces pieces(Named("a", "12345") + "--B--", 3);
  Multipart form(pieces, "B", {});
  ASSERT_TRUE(form.Next().ok());
  EXPECT_EQ(form.ReadText(4).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(form.Next()->has_value());
}

TEST(Multipart, PassesOverWhatIsNotRead) {
  Pieces pieces(Named("a", std::string(100000, 'x')) + Named("b", "2") + "--B--", 1000);
  Multipart form(pieces, "B", {});
  char one[1];
  EXPECT_EQ(*form.Read(one), 0u);
  EXPECT_EQ((**form.Next()).name, "a");
  EXPECT_EQ(*form.Read(one), 1u);
  EXPECT_EQ((**form.Next()).name, "b");
  EXPECT_EQ(*form.ReadText(), "2");
}

TEST(Multipart, IsOfARequestByItsContentType) {
  const auto boundary_of = [](std::string_view type) -> std::string {
    Pieces pieces("--a b\r\nContent-Disposition: form-data; name=n\r\n\r\nv\r\n--a b--", 100);
    const Field fields[] = {{"Content-Type", type}};
    Request request;
    request.body = &pieces;
    request.fields = FieldSpan(fields);
    absl::StatusOr<Multipart> form = Multipart::Of(request);
    if (!form.ok()) return std::string(form.status().message());
    const absl::StatusOr<std::optional<Part>> part = form->Next();
    return part.ok() && *part ? (*part)->name : "none";
  };
  EXPECT_EQ(boundary_of("multipart/form-data; boundary=\"a b\""), "n");
  EXPECT_EQ(boundary_of("Multipart/Form-Data;charset=utf-8; Boundary=\"a b\""), "n");
  EXPECT_THAT(boundary_of("multipart/mixed; boundary=\"a b\""), HasSubstr("want a form"));
  EXPECT_THAT(boundary_of("application/json"), HasSubstr("want a form"));
  EXPECT_THAT(boundary_of("multipart/form-data"), HasSubstr("no boundary"));
  EXPECT_THAT(boundary_of("multipart/form-data; boundary=\"\""), HasSubstr("no boundary"));
  EXPECT_THAT(boundary_of("multipart/form-data; boundary=\"b \""), HasSubstr("no boundary"));
  EXPECT_THAT(boundary_of("multipart/form-data; boundary=" + std::string(71, 'b')),
              HasSubstr("no boundary"));
}

TEST(Multipart, IsSavedToAFileOrLeavesNone) {
  char folder[] = "/tmp/multipart_XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  const std::string path = std::string(folder) + "/upload";
  const std::string content(200000, 'y');
  OffloadPool offload({.threads = 1});
  const std::unique_ptr<Hub> hub = *Hub::Create();
  const absl::Status ran = hub->Run([&] {
    Pieces pieces(Named("a", content) + Named("b", "12345") + Named("c", "") + "--B--", 999);
    Multipart form(pieces, "B", {});
    ASSERT_TRUE(form.Next().ok());
    EXPECT_EQ(*form.SaveTo(path, content.size(), offload), content.size());
    std::ostringstream saved;
    saved << std::ifstream(path).rdbuf();
    EXPECT_EQ(saved.str(), content);
    struct stat status {};
    EXPECT_EQ(stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777u, 0600u);

    ASSERT_TRUE(form.Next().ok());
    EXPECT_EQ(form.SaveTo(path, 10, offload).status().code(), absl::StatusCode::kAlreadyExists);
    std::filesystem::remove(path);
    EXPECT_EQ(form.SaveTo(path, 4, offload).status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_FALSE(std::filesystem::exists(path));
    EXPECT_EQ(form.SaveTo(std::string(folder) + "/none/upload", 4, offload).status().code(),
              absl::StatusCode::kNotFound);
  });
  EXPECT_TRUE(ran.ok()) << ran;
  offload.Stop();
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace grove::http
