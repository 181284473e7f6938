#include "http/websocket/permessage_deflate.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace grove::http::websocket {
namespace {

// The answer; "none" if compression is declined, "malformed" if the field is.
std::string AnswerTo(std::string_view value, const DeflatePolicy& policy = {}) {
  const auto offers = ParseExtensions(value);
  if (!offers.ok()) return "malformed";
  const auto agreed = NegotiateDeflate(*offers, policy);
  return agreed.has_value() ? agreed->answer : "none";
}

TEST(PermessageDeflate, AnswersAnOfferWithWhatItAsksFor) {
  EXPECT_EQ(AnswerTo("permessage-deflate"), "permessage-deflate");
  EXPECT_EQ(AnswerTo("permessage-deflate; server_no_context_takeover"),
            "permessage-deflate; server_no_context_takeover");
  EXPECT_EQ(AnswerTo("permessage-deflate; client_no_context_takeover"),
            "permessage-deflate; client_no_context_takeover");
  EXPECT_EQ(AnswerTo("permessage-deflate; server_max_window_bits=10"),
            "permessage-deflate; server_max_window_bits=10");
  EXPECT_EQ(AnswerTo("permessage-deflate; client_max_window_bits"),
            "permessage-deflate; client_max_window_bits=15");
  EXPECT_EQ(AnswerTo("permessage-deflate; client_max_window_bits=9"),
            "permessage-deflate; client_max_window_bits=9");
}

TEST(PermessageDeflate, ComparesNamesWithoutCaseAndMindsNoBlanks) {
  EXPECT_EQ(AnswerTo(" PerMessage-Deflate ;\tServer_Max_Window_Bits = \"9\" "),
            "permessage-deflate; server_max_window_bits=9");
}

TEST(PermessageDeflate, TakesTheFirstOfferThatCanBeMet) {
  EXPECT_EQ(AnswerTo("x-other; a=b, permessage-deflate; server_max_window_bits=7, "
                     "permessage-deflate; server_max_window_bits=11, permessage-deflate"),
            "permessage-deflate; server_max_window_bits=11");
}

TEST(PermessageDeflate, DeclinesOffersWithParametersThatAreWrong) {
  for (const std::string parameter :
       {"unknown", "server_no_context_takeover=1", "client_no_context_takeover=true",
        "server_max_window_bits", "server_max_window_bits=7", "server_max_window_bits=16",
        "server_max_window_bits=010", "server_max_window_bits=08", "server_max_window_bits=1x",
        "client_max_window_bits=7", "client_max_window_bits=16", "client_max_window_bits=100",
        "server_no_context_takeover; server_no_context_takeover",
        "client_max_window_bits; client_max_window_bits",
        "server_max_window_bits=10; server_max_window_bits=10"}) {
    EXPECT_EQ(AnswerTo("permessage-deflate; " + parameter), "none") << parameter;
  }
}

TEST(PermessageDeflate, TakesEveryWindow) {
  for (int bits = 8; bits <= 15; ++bits) {
    const auto offers =
        ParseExtensions("permessage-deflate; server_max_window_bits=" + std::to_string(bits) +
                        "; client_max_window_bits=" + std::to_string(bits));
    const auto agreed = NegotiateDeflate(*offers, {.server_window_bits = 15});
    ASSERT_TRUE(agreed.has_value());
    EXPECT_EQ(agreed->server_window_bits, bits);
    EXPECT_EQ(agreed->client_window_bits, bits);
  }
}

TEST(PermessageDeflate, ImposesItsOwnPolicyOnlyAsFarAsTheClientCanFollow) {
  const DeflatePolicy policy{.server_window_bits = 10,
                             .client_window_bits = 11,
                             .server_no_context_takeover = true,
                             .client_no_context_takeover = true};
  EXPECT_EQ(AnswerTo("permessage-deflate", policy),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover");
  EXPECT_EQ(
      AnswerTo("permessage-deflate; server_max_window_bits=15; client_max_window_bits", policy),
      "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
      "server_max_window_bits=10; client_max_window_bits=11");
  const auto agreed = NegotiateDeflate(*ParseExtensions("permessage-deflate"), policy);
  EXPECT_EQ(agreed->client_window_bits, 15) << "the client knows of no limit";
}

TEST(PermessageDeflate, TellsAMalformedFieldFromAnOfferToDecline) {
  for (const std::string_view value :
       {"permessage-deflate;", "permessage-deflate; a=", "permessage-deflate; =1", "a b", "a;;b",
        "permessage-deflate; a=\"", "permessage-deflate; a=\"b c\"", "a=\"b\"", "\"a\"", "a; b=c d",
        "a; b=\"\"", "a; b=\"c\\"}) {
    EXPECT_EQ(AnswerTo(value), "malformed") << value;
  }
  EXPECT_EQ(AnswerTo(""), "none");
  EXPECT_EQ(AnswerTo(" , ,"), "none");
  EXPECT_EQ(AnswerTo(",permessage-deflate,"), "permessage-deflate");
}

TEST(PermessageDeflate, BoundsTheNumberOfOffers) {
  std::string value = "a";
  for (size_t i = 1; i < kExtensionsMax; ++i) value += ",a";
  EXPECT_EQ(AnswerTo(value), "none");
  EXPECT_EQ(AnswerTo(value + ",a"), "malformed");
}

// What a client with this policy makes of an answer: the windows and whose context is dropped.
std::string Taken(std::string_view answer,
                  const DeflatePolicy& policy = {.server_window_bits = 15}) {
  const auto extensions = ParseExtensions(answer);
  EXPECT_TRUE(extensions.ok());
  const auto agreed = TakeDeflateAnswer(*extensions, policy);
  if (!agreed.ok()) return "refused";
  if (!agreed->has_value()) return "none";
  const DeflateAgreement& deflate = **agreed;
  return absl::StrCat(deflate.server_window_bits, deflate.server_no_context_takeover ? "!" : "",
                      " ", deflate.client_window_bits,
                      deflate.client_no_context_takeover ? "!" : "");
}

TEST(PermessageDeflate, OffersWhatThePolicyAsksFor) {
  EXPECT_EQ(DeflateOffer({.server_window_bits = 15}), "permessage-deflate; client_max_window_bits");
  EXPECT_EQ(DeflateOffer({.server_window_bits = 10,
                          .client_window_bits = 12,
                          .server_no_context_takeover = true,
                          .client_no_context_takeover = true}),
            "permessage-deflate; client_max_window_bits=12; server_max_window_bits=10; "
            "server_no_context_takeover; client_no_context_takeover");
}

TEST(PermessageDeflate, AClientTakesWhatGoesWithItsOffer) {
  EXPECT_EQ(Taken(""), "none");
  EXPECT_EQ(Taken("permessage-deflate"), "15 15");
  EXPECT_EQ(Taken("permessage-deflate; server_max_window_bits=9; client_max_window_bits=8"), "9 8");
  EXPECT_EQ(Taken("permessage-deflate; server_no_context_takeover; client_no_context_takeover"),
            "15! 15!");
  // It keeps to what it said, whether the server repeats it or not.
  EXPECT_EQ(Taken("permessage-deflate", {.server_window_bits = 15, .client_window_bits = 12}),
            "15 12");
  EXPECT_EQ(
      Taken("permessage-deflate", {.server_window_bits = 15, .client_no_context_takeover = true}),
      "15 15!");
}

TEST(PermessageDeflate, AClientRefusesWhatDoesNotGoWithItsOffer) {
  for (const char* answer :
       {"x-other", "permessage-deflate, x-other", "permessage-deflate, permessage-deflate",
        "permessage-deflate; unknown", "permessage-deflate; client_max_window_bits",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover"}) {
    EXPECT_EQ(Taken(answer), "refused") << answer;
  }
  const DeflatePolicy small = {.server_window_bits = 10, .client_window_bits = 12};
  EXPECT_EQ(Taken("permessage-deflate", small), "refused");
  EXPECT_EQ(Taken("permessage-deflate; server_max_window_bits=11", small), "refused");
  EXPECT_EQ(
      Taken("permessage-deflate; server_max_window_bits=10; client_max_window_bits=13", small),
      "refused");
  EXPECT_EQ(Taken("permessage-deflate; server_max_window_bits=10", small), "10 12");
  EXPECT_EQ(
      Taken("permessage-deflate", {.server_window_bits = 15, .server_no_context_takeover = true}),
      "refused");
}

}  // namespace
}  // namespace grove::http::websocket
