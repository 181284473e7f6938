#include "client/cli/inputs.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <vector>

namespace grove::client::cli {
namespace {

// A pipe of which the test writes.
class LineReaderTest : public testing::Test {
 protected:
  LineReaderTest() {
    EXPECT_EQ(pipe(ends_), 0);
    reader_.emplace(ends_[0], LineReader::Ownership::kOwned, interrupt_, 100);
  }
  ~LineReaderTest() override {
    close(interrupt_);
    if (ends_[1] >= 0) close(ends_[1]);
  }

  void Write(const std::string& text) {
    EXPECT_EQ(write(ends_[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  void End() {
    close(ends_[1]);
    ends_[1] = -1;
  }
  std::vector<std::pair<int64_t, std::string>> All() {
    std::vector<std::pair<int64_t, std::string>> lines;
    while (auto line = *reader_->Next()) lines.emplace_back(line->number, line->text);
    return lines;
  }

  const int interrupt_ = eventfd(0, 0);
  int ends_[2] = {-1, -1};
  std::optional<LineReader> reader_;
};

TEST_F(LineReaderTest, NumbersLinesAndLeavesOutBlankOnes) {
  Write("{}\n\n  \r\n[1]\r\nlast");
  End();
  EXPECT_EQ(All(),
            (std::vector<std::pair<int64_t, std::string>>{{1, "{}"}, {4, "[1]"}, {5, "last"}}));
}

TEST_F(LineReaderTest, AnEmptyInputHasNoLines) {
  End();
  EXPECT_TRUE(All().empty());
}

TEST_F(LineReaderTest, NamesALineThatIsTooLong) {
  Write("1\n" + std::string(101, 'x'));
  EXPECT_EQ((*reader_->Next())->number, 1);
  EXPECT_EQ(reader_->Next().status().message(), "line 2 is longer than 100 bytes");
}

TEST_F(LineReaderTest, AWaitIsInterrupted) {
  EXPECT_EQ(eventfd_write(interrupt_, 1), 0);
  EXPECT_TRUE(absl::IsCancelled(reader_->Next().status()));
}

}  // namespace
}  // namespace grove::client::cli
