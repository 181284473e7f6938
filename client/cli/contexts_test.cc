#include "client/cli/contexts.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <map>

namespace grove::client::cli {
namespace {

Environment Variables(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
}

std::string Problem(const std::string& text) {
  return std::string(ParseContexts(text, "c.yaml").status().message());
}

TEST(ContextsPath, FollowsTheEnvironment) {
  EXPECT_EQ(*ContextsPath(Variables({{"HOME", "/h"}})), "/h/.config/grove/config.yaml");
  EXPECT_EQ(*ContextsPath(Variables({{"HOME", "/h"}, {"XDG_CONFIG_HOME", "/x"}})),
            "/x/grove/config.yaml");
  EXPECT_EQ(*ContextsPath(Variables({{"HOME", "/h"}, {"XDG_CONFIG_HOME", "relative"}})),
            "/h/.config/grove/config.yaml");
  EXPECT_EQ(*ContextsPath(Variables({{"HOME", "/h"}, {"GROVECTL_CONFIG", "f"}})), "f");
  EXPECT_FALSE(ContextsPath(Variables({})).ok());
}

TEST(ParseContexts, TakesWhatItWrote) {
  Contexts contexts;
  contexts.current = "prod: 1";
  contexts.by_name["prod: 1"] = {"[::1]:8091", "/ca.pem", "/a token"};
  contexts.by_name["true"] = {"unix:/run/grove.sock"};
  const auto parsed = ParseContexts(ContextsText(contexts), "c.yaml");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->current, "prod: 1");
  EXPECT_EQ(parsed->by_name.at("prod: 1").token_file, "/a token");
  EXPECT_EQ(parsed->by_name.at("prod: 1").ca_cert, "/ca.pem");
  EXPECT_EQ(parsed->by_name.at("true").address, "unix:/run/grove.sock");
  EXPECT_EQ(ParseContexts("", "c.yaml")->by_name.size(), 0);
}

TEST(ParseContexts, NamesFileAndLineOfWhatIsWrong) {
  EXPECT_EQ(Problem("contexts:\n  a:\n    address: x:1\n    adress: x:2\n"),
            "c.yaml:4: unknown key \"adress\"; did you mean address?");
  EXPECT_EQ(Problem("curent: a\n"), "c.yaml:1: unknown key \"curent\"; did you mean current?");
  EXPECT_EQ(Problem("contexts:\n  a: {}\n"), "c.yaml:2: address: is missing");
  EXPECT_EQ(Problem("\ncurrent: b\n"), "c.yaml:2: current: there is no context \"b\"");
  EXPECT_EQ(Problem("contexts:\n- a\n"), "c.yaml:2: contexts: must be a map by name");
  EXPECT_EQ(Problem("contexts: {a: {address: [1]}}\n"), "c.yaml:1: address: must be a text");
  EXPECT_EQ(Problem("\n\ncontexts: [\n").rfind("c.yaml:4: ", 0), 0u)
      << Problem("\n\ncontexts: [\n");
}

TEST(WriteContexts, MakesItsFolderAndAFileForItsOwnerAlone) {
  const std::string path = std::string(std::getenv("TEST_TMPDIR")) + "/made/here/config.yaml";
  Contexts contexts;
  contexts.by_name["a"] = {"x:1"};
  ASSERT_TRUE(WriteContexts(path, contexts).ok());
  ASSERT_TRUE(WriteContexts(path, contexts).ok());
  struct stat status = {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600);
  EXPECT_EQ(ReadContexts(path)->by_name.at("a").address, "x:1");
  EXPECT_EQ(ReadContexts(path + ".none")->by_name.size(), 0);
}

TEST(FindContext, NamesANearOne) {
  Contexts contexts;
  contexts.by_name["staging"] = {"x:1"};
  EXPECT_EQ(FindContext(contexts, "stagin", "c.yaml").status().message(),
            "there is no context \"stagin\" in c.yaml; did you mean staging?");
}

}  // namespace
}  // namespace grove::client::cli
