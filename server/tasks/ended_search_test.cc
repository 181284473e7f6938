#include "server/tasks/ended_search.h"

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/tasks/ended_rows.h"
#include "server/tasks/store_fixture.h"

namespace grove::tasks {
namespace {

using Order = EndedQuery::Order;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int32_t kSucceeded = 4;
constexpr int32_t kFailed = 5;

class EndedSearchTest : public StoreFixture {
 protected:
  void SetUp() override {
    StoreFixture::SetUp();
    Open();
  }

  // Ended tasks, as the engine has them written; beside them what the answers are to be.
  StoreWrite End(Kind kind, uint64_t id, const std::string& tenant, const std::string& queue,
                 const std::string& function, int32_t state, WallMicros end_time_us) {
    StoreWrite write = Write(kind, id, "s", end_time_us);
    write.task.tenant = tenant;
    write.task.queue = queue;
    write.task.function = function;
    write.task.progress.end_state = state;
    ended_[{id, 0}] = {.id = {id, 0},
                       .tenant = tenant,
                       .queue = queue,
                       .function = function,
                       .state = state,
                       .end_time_us = end_time_us};
    return write;
  }

  absl::StatusOr<EndedPage> Find(EndedQuery query) {
    absl::Notification answered;
    absl::StatusOr<EndedPage> answer;
    reader_->FindEnded(std::move(query), [&](absl::StatusOr<EndedPage> page) {
      answer = std::move(page);
      answered.Notify();
    });
    answered.WaitForNotification();
    return answer;
  }
  std::vector<uint64_t> FindIds(EndedQuery query) {
    auto page = Find(std::move(query));
    EXPECT_TRUE(page.ok()) << page.status();
    std::vector<uint64_t> ids;
    for (const StoredTask& task : page->tasks) ids.push_back(task.id.high);
    return ids;
  }
  // All pages, one after the other.
  std::vector<uint64_t> FindAll(EndedQuery query) {
    std::vector<uint64_t> ids;
    for (int pages = 0; pages < 10'000; ++pages) {
      auto page = Find(query);
      EXPECT_TRUE(page.ok()) << page.status();
      for (const StoredTask& task : page->tasks) ids.push_back(task.id.high);
      if (!page->next) return ids;
      query.after = page->next;
    }
    ADD_FAILURE() << "pages without an end";
    return ids;
  }

  // What FindAll() is to give.
  std::vector<uint64_t> Expected(const EndedQuery& query) const {
    std::vector<std::pair<std::pair<WallMicros, TaskId>, uint64_t>> found;
    for (const auto& [id, task] : ended_) {
      const bool matches = (query.tenant.empty() || task.tenant == query.tenant) &&
                           (query.queue.empty() || task.queue == query.queue) &&
                           (query.function.empty() || task.function == query.function) &&
                           (query.states == 0 || (query.states >> task.state & 1) != 0) &&
                           task.end_time_us >= query.ended_from_us &&
                           task.end_time_us < query.ended_before_us;
      if (matches) found.push_back({{query.by_end() ? task.end_time_us : 0, id}, id.high});
    }
    std::sort(found.begin(), found.end());
    if (query.descends()) std::reverse(found.begin(), found.end());
    std::vector<uint64_t> ids;
    ids.reserve(found.size());
    for (const auto& [key, id] : found) ids.push_back(id);
    return ids;
  }
  int64_t Number(const char* sql) {
    const auto connection =
        sqlite::Connection::Open(File("tasks.db"), sqlite::Connection::Missing::kRefuse);
    return *connection->QueryNumber(sql);
  }

  std::map<TaskId, EndedRecord> ended_;
};

TEST_F(EndedSearchTest, KnowsATaskFromItsEndOnAndWhileItIsThere) {
  Insert(1);
  EXPECT_THAT(FindIds({}), IsEmpty());
  Advance({End(Kind::kUpdate, 1, "acme", "mail", "send", kFailed, 100)});
  const auto page = Find({});
  ASSERT_EQ(page->tasks.size(), 1u);
  const StoredTask& task = page->tasks[0];
  EXPECT_EQ(task.tenant, "acme");
  EXPECT_EQ(task.queue, "mail");
  EXPECT_EQ(task.spec, "s");
  EXPECT_EQ(task.progress.end_time_us, 100);
  EXPECT_THAT(FindIds({.function = "send", .states = 1u << kFailed}), ElementsAre(1));
  // It is tried again, and ends otherwise.
  Advance({Write(Kind::kUpdate, 1)});
  EXPECT_THAT(FindIds({}), IsEmpty());
  Advance({End(Kind::kUpdate, 1, "acme", "mail", "send", kSucceeded, 200)});
  EXPECT_THAT(FindIds({.states = 1u << kSucceeded}), ElementsAre(1));
  EXPECT_THAT(FindIds({.states = 1u << kFailed}), IsEmpty());
  Advance({Write(Kind::kDelete, 1)});
  EXPECT_THAT(FindIds({}), IsEmpty());
  EXPECT_EQ(Number("SELECT count(*) FROM ended_kinds"), 0);
}

TEST_F(EndedSearchTest, AnEndOfWhatIsNotThereIsNone) {
  Advance({End(Kind::kUpdate, 1, "acme", "mail", "send", kFailed, 100)});
  EXPECT_THAT(FindIds({}), IsEmpty());
}

TEST_F(EndedSearchTest, CountsEachKind) {
  for (uint64_t id = 1; id <= 5; ++id) {
    Advance({End(Kind::kInsert, id, "acme", "mail", "send", id > 3 ? kFailed : kSucceeded, 100)});
  }
  Advance({Write(Kind::kDelete, 1)});
  EXPECT_EQ(Number("SELECT count FROM ended_kinds WHERE state = 4"), 2);
  EXPECT_EQ(Number("SELECT count FROM ended_kinds WHERE state = 5"), 2);
}

TEST_F(EndedSearchTest, GoesOnWhereAPageEnded) {
  for (uint64_t id = 1; id <= 7; ++id) {
    Advance({End(Kind::kInsert, id, "acme", "mail", "send", kFailed, 100 - id % 3)});
  }
  EXPECT_THAT(FindIds({.count_max = 3}), ElementsAre(7, 6, 5));
  EXPECT_THAT(FindIds({.order = Order::kFirstCreated, .count_max = 3}), ElementsAre(1, 2, 3));
  EXPECT_THAT(FindIds({.order = Order::kLastEnded, .count_max = 3}), ElementsAre(6, 3, 7));
  EXPECT_THAT(FindIds({.order = Order::kFirstEnded, .count_max = 3}), ElementsAre(2, 5, 1));
  const auto page = Find({.order = Order::kLastEnded, .count_max = 3});
  // What it goes on behind may be gone by then.
  Advance({Write(Kind::kDelete, 7)});
  EXPECT_THAT(FindIds({.order = Order::kLastEnded, .after = page->next}), ElementsAre(4, 1, 5, 2));
}

// `kinds` of each of three properties, so that there are their product of kinds.
class EndedModel {
 public:
  EndedModel(int kinds, uint32_t seed) : kinds_(kinds), random_(seed) {}

  std::string Name(const std::string& of) { return absl::StrCat(of, Below(kinds_)); }
  int32_t State() { return kSucceeded + static_cast<int32_t>(Below(4)); }
  WallMicros Time() { return 1000 + static_cast<WallMicros>(Below(200)); }
  uint32_t Below(uint32_t n) { return random_() % n; }

  EndedQuery Query() {
    EndedQuery query;
    if (Below(2) == 0) query.tenant = Name("t");
    if (Below(3) == 0) query.queue = Name("q");
    if (Below(3) == 0) query.function = Name("f");
    if (Below(3) == 0) query.states = 1u << State();
    if (Below(3) == 0) query.states |= 1u << State();
    if (Below(3) == 0) query.ended_from_us = Time();
    if (Below(3) == 0) query.ended_before_us = Time();
    query.order = static_cast<Order>(Below(4));
    query.count_max = 1 + Below(50);
    return query;
  }

 private:
  const uint32_t kinds_;
  std::mt19937 random_;
};

class EndedSearchModelTest : public EndedSearchTest, public ::testing::WithParamInterface<int> {};

TEST_P(EndedSearchModelTest, FindsWhatAScanWouldFind) {
  EndedModel model(GetParam(), 7);
  std::vector<StoreWrite> writes;
  for (uint64_t id = 1; id <= 600; ++id) {
    writes.push_back(End(Kind::kInsert, id, model.Name("t"), model.Name("q"), model.Name("f"),
                         model.State(), model.Time()));
  }
  Advance(std::move(writes));
  for (int i = 0; i < 100; ++i) {
    const uint64_t id = 1 + model.Below(600);
    Advance({Write(Kind::kDelete, id)});
    ended_.erase({id, 0});
  }
  for (int i = 0; i < 300; ++i) {
    const EndedQuery query = model.Query();
    SCOPED_TRACE(absl::StrCat("query ", i, " in order ", static_cast<int>(query.order)));
    ASSERT_EQ(FindAll(query), Expected(query));
  }
}

// Few kinds, and many.
INSTANTIATE_TEST_SUITE_P(Kinds, EndedSearchModelTest, ::testing::Values(2, 5));

TEST_F(EndedSearchTest, APageThatLooksInVainSaysWhereItIs) {
  std::vector<StoreWrite> writes;
  writes.reserve(kEndedLooksMax + 13);
  for (int i = 0; i < kEndedLooksMax + 10; ++i) {
    writes.push_back(End(Kind::kInsert, i + 10, "acme", "mail", "send", kSucceeded, 100));
  }
  for (int i = 0; i < 3; ++i) {
    writes.push_back(End(Kind::kInsert, i, "acme", "mail", "send", kSucceeded, 200));
  }
  Advance(std::move(writes));
  const EndedQuery query = {.ended_from_us = 150};
  const auto page = Find(query);
  EXPECT_THAT(page->tasks, IsEmpty());
  EXPECT_TRUE(page->next.has_value());
  EXPECT_EQ(FindAll(query), Expected(query));
}

}  // namespace
}  // namespace grove::tasks
