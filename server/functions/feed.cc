#include "server/functions/feed.h"
#include "server/functions/one_line.h"

// The header hides the limits on entities from programs that do not say how expat was built.
#define XML_DTD 1
#include <expat.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "runtime/switch/abseil_text.h"

namespace grove::functions {
namespace {

// Between a namespace and a local name; no namespace name can hold it.
constexpr char kSeparator = '\n';

// A feed whose entities grow to more than this many bytes, and to more than so many times its own
// size, is an attack ("billion laughs").
constexpr unsigned long long kEntityBytesMax = 64 * 1024;
constexpr float kEntityAmplificationMax = 4;

// Markup of a title is read before tags are dropped and blanks collapsed.
constexpr size_t kTitleMarkupMaxBytes = 16 * kFeedTitleMaxBytes;

struct FeedForm {
  std::string_view root;    // with its namespace
  std::string_view parent;  // of the title; the root if empty
  std::string_view title;
};

constexpr FeedForm kForms[] = {
    {"rss", "channel", "title"},
    {"http://www.w3.org/1999/02/22-rdf-syntax-ns#\nRDF", "http://purl.org/rss/1.0/\nchannel",
     "http://purl.org/rss/1.0/\ntitle"},
    {"http://www.w3.org/1999/02/22-rdf-syntax-ns#\nRDF",
     "http://my.netscape.com/rdf/simple/0.9/\nchannel",
     "http://my.netscape.com/rdf/simple/0.9/\ntitle"},
    {"http://www.w3.org/2005/Atom\nfeed", "", "http://www.w3.org/2005/Atom\ntitle"},
    {"http://purl.org/atom/ns#\nfeed", "", "http://purl.org/atom/ns#\ntitle"},
};

struct ParserDeleter {
  void operator()(XML_Parser parser) const { XML_ParserFree(parser); }
};
using ParserPointer = std::unique_ptr<std::remove_pointer_t<XML_Parser>, ParserDeleter>;

// Follows the path from the root to the title; expat calls it.
class TitleFinder {
 public:
  explicit TitleFinder(XML_Parser parser) : parser_(parser) {
    XML_SetUserData(parser, this);
    XML_SetElementHandler(parser, &OnStart, &OnEnd);
    XML_SetCharacterDataHandler(parser, &OnText);
    XML_SetUnknownEncodingHandler(parser, &OnEncoding, nullptr);
    XML_SetBillionLaughsAttackProtectionActivationThreshold(parser, kEntityBytesMax);
    XML_SetBillionLaughsAttackProtectionMaximumAmplification(parser, kEntityAmplificationMax);
  }

  bool found() const { return found_; }
  const absl::Status& failure() const { return failure_; }
  const std::string& text() const { return text_; }
  bool html() const { return html_; }

 private:
  void Start(std::string_view name, const char** attributes);
  void End();
  void Text(std::string_view text);
  bool EntersTitle(std::string_view name) const;
  void Stop() { XML_StopParser(parser_, XML_FALSE); }

  static void OnStart(void* self, const char* name, const char** attributes) {
    static_cast<TitleFinder*>(self)->Start(name, attributes);
  }
  static void OnEnd(void* self, const char*) { static_cast<TitleFinder*>(self)->End(); }
  static void OnText(void* self, const char* text, int length) {
    static_cast<TitleFinder*>(self)->Text({text, static_cast<size_t>(length)});
  }
  static int OnEncoding(void*, const char* name, XML_Encoding* encoding);

  const XML_Parser parser_;
  std::string root_;
  std::string parent_;   // the open element at depth 2
  int depth_ = 0;        // of open elements
  int title_depth_ = 0;  // of the title while it is open
  bool html_ = false;
  bool found_ = false;
  std::string text_;
  absl::Status failure_;
};

bool IsFeedRoot(std::string_view root) {
  const auto has_root = [root](const FeedForm& form) { return form.root == root; };
  return std::any_of(std::begin(kForms), std::end(kForms), has_root);
}

std::string_view LocalName(std::string_view name) {
  return name.substr(name.find(kSeparator) + 1);  // npos + 1 is 0
}

bool TitleFinder::EntersTitle(std::string_view name) const {
  for (const FeedForm& form : kForms) {
    if (form.root != root_ || form.title != name) continue;
    if (form.parent.empty() ? depth_ == 2 : depth_ == 3 && form.parent == parent_) return true;
  }
  return false;
}

void TitleFinder::Start(std::string_view name, const char** attributes) {
  if (++depth_ > kFeedDepthMax) {
    failure_ = absl::InvalidArgumentError(
        absl::StrFormat("the feed nests elements deeper than %d", kFeedDepthMax));
    return Stop();
  }
  if (depth_ == 1) {
    root_ = name;
    if (IsFeedRoot(name)) return;
    failure_ = absl::InvalidArgumentError(absl::StrFormat("not a feed: the root element is <%s>",
                                                          OneLine(LocalName(name).substr(0, 64))));
    return Stop();
  }
  if (depth_ == 2) parent_ = name;
  if (title_depth_ != 0 || !EntersTitle(name)) return;
  title_depth_ = depth_;
  // Atom 1.0 says "html"; 0.3 said "text/html", with mode="escaped".
  for (; attributes[0] != nullptr; attributes += 2) {
    const std::string_view value = attributes[1];
    if (std::string_view(attributes[0]) == "type") html_ = value == "html" || value == "text/html";
  }
}

void TitleFinder::End() {
  if (title_depth_ == depth_) {
    found_ = true;
    return Stop();
  }
  --depth_;
}

void TitleFinder::Text(std::string_view text) {
  if (title_depth_ == 0 || found_) return;
  text_.append(text.substr(0, kTitleMarkupMaxBytes - std::min(text_.size(), kTitleMarkupMaxBytes)));
}

// Expat itself knows UTF-8, UTF-16, ISO-8859-1 and US-ASCII. Windows-1252 is the one other encoding
// that feeds use much.
int TitleFinder::OnEncoding(void*, const char* name, XML_Encoding* encoding) {
  static constexpr std::array<int, 32> kHigh = {
      0x20ac, -1,     0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
      0x2039, 0x0152, -1,     0x017d, -1,     -1,     0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
      0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, -1,     0x017e, 0x0178};
  if (!absl::EqualsIgnoreCase(name, "windows-1252") && !absl::EqualsIgnoreCase(name, "cp1252")) {
    return XML_STATUS_ERROR;
  }
  for (int byte = 0; byte < 256; ++byte) {
    encoding->map[byte] = byte >= 0x80 && byte < 0xa0 ? kHigh[byte - 0x80] : byte;
  }
  encoding->data = nullptr;
  encoding->convert = nullptr;
  encoding->release = nullptr;
  return XML_STATUS_OK;
}

absl::Status XmlFailure(XML_Parser parser, std::string_view bytes) {
  const XML_Error error = XML_GetErrorCode(parser);
  if (error == XML_ERROR_NO_ELEMENTS) {
    return absl::InvalidArgumentError("not a feed: the document has no element");
  }
  const std::string_view start(bytes.data(), std::min<size_t>(bytes.size(), 256));
  if (absl::StrContains(absl::AsciiStrToLower(Abseil(start)), "<!doctype html")) {
    return absl::InvalidArgumentError("not a feed: it is an HTML page");
  }
  return absl::InvalidArgumentError(absl::StrFormat("not well-formed XML in line %d: %s",
                                                    XML_GetCurrentLineNumber(parser),
                                                    XML_ErrorString(error)));
}

std::string Cut(std::string text) {
  if (text.size() <= kFeedTitleMaxBytes) return text;
  size_t end = kFeedTitleMaxBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end) + "…";
}

}  // namespace

absl::StatusOr<std::string> FeedTitle(std::string_view bytes) {
  if (bytes.size() > kFeedMaxBytes) {
    return absl::InvalidArgumentError(
        absl::StrFormat("the feed is larger than %d bytes", kFeedMaxBytes));
  }
  const ParserPointer parser(XML_ParserCreateNS(nullptr, kSeparator));
  if (parser == nullptr) return absl::ResourceExhaustedError("XML parser: out of memory");
  TitleFinder finder(parser.get());
  const XML_Status parsed =
      XML_Parse(parser.get(), bytes.data(), static_cast<int>(bytes.size()), XML_TRUE);
  if (!finder.failure().ok()) return finder.failure();
  if (!finder.found() && parsed != XML_STATUS_OK) return XmlFailure(parser.get(), bytes);
  std::string title = Cut(OneLine(finder.html() ? HtmlText(finder.text()) : finder.text()));
  if (title.empty()) return absl::InvalidArgumentError("the feed has no title");
  return title;
}

}  // namespace grove::functions
