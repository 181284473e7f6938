#include "server/tasks/ended_migration.h"

#include <string>
#include <vector>

#include "grove/v1/task_service.pb.h"
#include "server/tasks/ended_rows.h"
#include "server/tasks/store_fixture.h"

namespace grove::tasks {
namespace {

using ::testing::ElementsAre;

constexpr int64_t kRows = 12'000;

class EndedMigrationTest : public StoreFixture {
 protected:
  StoreWrite Ended(uint64_t id, v1::TaskState state) {
    v1::TaskSpec spec;
    spec.set_function("send");
    v1::Task progress;
    progress.set_state(state);
    StoreWrite write =
        Write(Kind::kInsert, id, spec.SerializeAsString(), 1000 + static_cast<WallMicros>(id));
    write.task.progress.task = progress.SerializeAsString();
    return write;
  }
  // Makes of the database one as version 2 left it, and does `more` to it.
  void GoBack(const std::string& more = "") {
    Close();
    const auto connection =
        sqlite::Connection::Open(File("tasks.db"), sqlite::Connection::Missing::kRefuse);
    const absl::Status done =
        connection->Execute(std::string(kDropEnded) +
                            "ALTER TABLE tasks DROP COLUMN kind; PRAGMA user_version = 2;" + more);
    ASSERT_TRUE(done.ok()) << done;
  }
  int64_t Number(const char* sql) {
    const auto connection =
        sqlite::Connection::Open(File("tasks.db"), sqlite::Connection::Missing::kRefuse);
    return *connection->QueryNumber(sql);
  }
  std::vector<uint64_t> FindIds(EndedQuery query) {
    absl::Notification answered;
    std::vector<uint64_t> ids;
    reader_->FindEnded(std::move(query), [&](absl::StatusOr<EndedPage> page) {
      EXPECT_TRUE(page.ok()) << page.status();
      if (page.ok()) {
        for (const StoredTask& task : page->tasks) ids.push_back(task.id.high);
      }
      answered.Notify();
    });
    answered.WaitForNotification();
    return ids;
  }
};

TEST_F(EndedMigrationTest, IndexesWhatHasEnded) {
  Open();
  Advance({Write(Kind::kInsert, 1), Ended(2, v1::TASK_STATE_FAILED),
           Ended(3, v1::TASK_STATE_SUCCEEDED), Ended(4, v1::TASK_STATE_FAILED)});
  GoBack();
  Open();
  EXPECT_EQ(Number("PRAGMA user_version"), 3);
  EXPECT_THAT(FindIds({.tenant = "acme",
                       .queue = "mail",
                       .function = "send",
                       .states = 1u << v1::TASK_STATE_FAILED}),
              ElementsAre(4, 2));
  EXPECT_THAT(FindIds({.order = EndedQuery::Order::kFirstEnded}), ElementsAre(2, 3, 4));
}

TEST_F(EndedMigrationTest, IndexesAlsoWhatDoesNotParse) {
  Open();
  Advance({Write(Kind::kInsert, 1, "\xff", 77)});
  GoBack();
  Open();
  EXPECT_THAT(FindIds({}), ElementsAre(1)) << "its retention ends, too";
}

TEST_F(EndedMigrationTest, BeginsAnewAfterADeath) {
  Open();
  std::vector<StoreWrite> writes;
  for (int64_t id = 1; id <= kRows; ++id) writes.push_back(Ended(id, v1::TASK_STATE_FAILED));
  Advance(std::move(writes));
  // As far as the first transactions had come, and a task that has gone since.
  GoBack(std::string(kCreateEnded) +
         "INSERT INTO ended_kinds VALUES (1, 'acme', 'mail', 'send', 5, 1, 2);"
         "INSERT INTO ended VALUES (1, x'00000000000000010000000000000000', 1001),"
         " (1, x'ff000000000000010000000000000000', 1001);");
  Open();
  EXPECT_EQ(Number("SELECT count(*) FROM ended"), kRows);
  EXPECT_EQ(Number("SELECT count FROM ended_kinds"), kRows);
}

TEST_F(EndedMigrationTest, ADatabaseOfVersion3IsLeftAlone) {
  Open();
  Advance({Ended(1, v1::TASK_STATE_FAILED)});
  Close();
  Open();
  EXPECT_THAT(FindIds({}), ElementsAre(1));
}

}  // namespace
}  // namespace grove::tasks
