// Against Lua's own library: whatever it makes of a subject and a pattern, ours makes too.
#include "server/backdoor/lua_patterns.h"

#include <memory>
#include <random>
#include <string>

#include "runtime/hub/hub_fixture.h"
#include "server/backdoor/backdoor.h"
#include "server/backdoor/lua_session.h"

namespace grove::backdoor {
namespace {

constexpr unsigned kSeed = 20261128;

// Of all results of an expression one line, of an error its text.
constexpr char kAll[] =
    "local function all(...) local out = {} for i = 1, select('#', ...) do "
    "out[i] = tostring((select(i, ...))) end return table.concat(out, '|') end "
    "local function each(s, p, i) local out = {} for a, b in s:gmatch(p, i) do "
    "out[#out + 1] = tostring(a) .. ',' .. tostring(b) end return table.concat(out, ';') end ";

class LuaPatterns : public HubTest {
 protected:
  LuaPatterns() { luaL_openlibs(theirs_); }
  ~LuaPatterns() override { lua_close(theirs_); }

  void ExpectSame(const std::string& expression) {
    const std::string chunk =
        std::string(kAll) + "print(all(pcall(function() return " + expression + " end)))";
    EXPECT_EQ(ours_->Evaluate(chunk), LuaSession::Outcome::kDone);
    // Its print() goes to the test's own output.
    const std::string returning =
        std::string(kAll) + "return all(pcall(function() return " + expression + " end))";
    lua_settop(theirs_, 0);
    ASSERT_EQ(luaL_loadbuffer(theirs_, returning.data(), returning.size(), "=backdoor"), LUA_OK);
    ASSERT_EQ(lua_pcall(theirs_, 0, 1, 0), LUA_OK) << lua_tostring(theirs_, -1);
    size_t bytes = 0;
    const char* const text = lua_tolstring(theirs_, 1, &bytes);
    std::string shown(text, bytes);
    for (char& c : shown) {
      if (c == '\0' || c == '\xff') c = '?';
    }
    std::string printed = ours_->output();
    for (const std::string_view escape : {"\\0", "\\255", "\\x00", "\\xff", "\xff"}) {
      for (size_t at; (at = printed.find(escape)) != printed.npos;) {
        printed.replace(at, escape.size(), "?");
      }
    }
    EXPECT_EQ(printed, shown + "\n") << expression;
  }

 private:
  lua_State* const theirs_ = luaL_newstate();
  const BackdoorLimits limits_{.instructions_max = INT64_MAX, .time_max = absl::Hours(1)};
  const BackdoorEnvironment environment_;
  const std::unique_ptr<LuaSession> ours_ = *LuaSession::Create(limits_, environment_);
};

TEST_F(LuaPatterns, FindAndMatchAreLuas) {
  Run([&] {
    for (const char* call : {"('hello world'):find('o w')",
                             "('hello'):find('l+')",
                             "('hello'):find('')",
                             "('hello'):find('', 6)",
                             "('hello'):find('', 7)",
                             "('hello'):find('l', -2)",
                             "('hello'):find('h', -99)",
                             "('hello'):find('h', 0)",
                             "('a+b'):find('+', 1, true)",
                             "('a.b'):find('.b', 1, true)",
                             "('abc'):find('abcd', 1, true)",
                             "(''):find('', 1, true)",
                             "('  x '):match('^%s*(.-)%s*$')",
                             "('key = v'):match('(%w+)%s*=%s*(%w+)')",
                             "('2024-05-06'):match('(%d+)-(%d+)-(%d+)')",
                             "('x'):match('()')",
                             "('xyz'):match('()y()')",
                             "('THE (quick) fox'):find('%((%a+)%)')",
                             "('f(a(b)c)d'):match('%b()')",
                             "('say [hi[ and'):match('([%[x])(.-)%1')",
                             "(']'):find('[]]')",
                             "('^'):find('[%^]')",
                             "('b'):find('[a-c]')",
                             "('-'):find('[a-]')",
                             "('-'):find('[%a-z]')",
                             "('a'):find('[^%s]')",
                             "('a$'):find('a$')",
                             "('a$b'):find('a$b')",
                             "(123):find('2')",
                             "('\\0a'):find('\\0a')",
                             "('a\\0b'):find('%z')",
                             "('a\\0b'):find('[%c]')",
                             "('\\255'):find('[\\200-\\255]')"}) {
      ExpectSame(call);
    }
  });
}

TEST_F(LuaPatterns, SubstitutionsAndIterationsAreLuas) {
  Run([&] {
    for (const char* call : {"('hello world'):gsub('o', '0', 1)",
                             "('hello'):gsub('l', 'x', 0)",
                             "('hello'):gsub('l', 'x', -1)",
                             "('abc'):gsub('%w', '%0%0')",
                             "('abc'):gsub('', '-')",
                             "('aaa'):gsub('^a', 'x')",
                             "('hello'):gsub('l', {l = 'L'})",
                             "('hello'):gsub('(h)(e)', '%2%1')",
                             "('hello'):gsub('.', function(c) return c == 'l' and 1 end)",
                             "('THE (quick) fox'):gsub('%f[%a]%a', '_')",
                             "('abc'):gsub('b', '%%')",
                             "('abc'):gsub('()', '%1')",
                             "('a1'):gsub(1, 2)",
                             "each('one two', '(%a)(%a)')",
                             "each('abc', '')",
                             "each('^a', '^a')",
                             "each('k=v, a=b', '(%w)=(%w)')",
                             "each('abc', '.', 2)",
                             "each('abc', '.', -1)",
                             "each('abc', '.', 9)"}) {
      ExpectSame(call);
    }
  });
}

TEST_F(LuaPatterns, ErrorsAreLuas) {
  Run([&] {
    for (const char* call : {"('abc'):gsub('b', '%x')",
                             "('abc'):gsub('b', '%')",
                             "('abc'):gsub('b', '%2')",
                             "('abc'):gsub('b', true)",
                             "('abc'):gsub('b', function() return {} end)",
                             "('a'):find('[')",
                             "('a'):find('[]')",
                             "('a'):find('[^]')",
                             "('a'):find('[a')",
                             "('a'):find('[a%')",
                             "('a'):find('%')",
                             "('a'):find('%b')",
                             "('a'):find('%bx')",
                             "('a'):find('%f')",
                             "('a'):find('%fa')",
                             "('a'):find('(a')",
                             "('a'):find('a)')",
                             "('a'):find('%1')",
                             "('a'):find('(a)%2')",
                             "('a'):find('(a%1)')",
                             "('a'):find(('()'):rep(33))",
                             "('a'):match(('()'):rep(32))",
                             "('a'):rep(300):match(('a?'):rep(300))",
                             "('x'):find(nil)",
                             "('x'):gsub('x')"}) {
      ExpectSame(call);
    }
  });
}

TEST_F(LuaPatterns, AreLuasOnWhatChanceMakes) {
  Run([&] {
    std::mt19937 chance(kSeed);
    const auto text = [&](std::string_view letters) {
      std::string made;
      for (size_t left = chance() % 9; left > 0; --left) made += letters[chance() % letters.size()];
      return "'" + made + "'";
    };
    for (int i = 0; i < 3000; ++i) {
      const std::string subject = text("aab1 (]-");
      const std::string pattern = text("ab1()[]^$*+-?.%%wsdf");
      ExpectSame("(" + subject + "):find(" + pattern + ")");
      ExpectSame("(" + subject + "):gsub(" + pattern + ", '<%0>')");
      ExpectSame("each(" + subject + ", " + pattern + ")");
      if (HasFailure()) FAIL() << "seed " << kSeed << ", round " << i;
    }
  });
}

}  // namespace
}  // namespace grove::backdoor
