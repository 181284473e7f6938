// TestAnswer: what a server said to a request of a test.
//
// A value.
#ifndef GROVE_SERVER_TEST_KIT_TEST_ANSWER_H_
#define GROVE_SERVER_TEST_KIT_TEST_ANSWER_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace grove::test_kit {

using TestFields = std::vector<std::pair<std::string, std::string>>;

struct TestAnswer {
  int status = 0;  // 0: there was no whole answer
  TestFields fields;
  std::string body;

  // The first of that name, in any case; empty if there is none.
  std::string Field(std::string_view name) const;
};

}  // namespace grove::test_kit

#endif  // GROVE_SERVER_TEST_KIT_TEST_ANSWER_H_
