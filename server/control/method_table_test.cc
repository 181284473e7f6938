#include "server/control/method_table.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include <string>

#include "google/protobuf/descriptor.h"
#include "grove/v1/backdoor_service.pb.h"
#include "grove/v1/inspect_service.pb.h"
#include "grove/v1/operation_service.pb.h"
#include "grove/v1/payload_service.pb.h"
#include "grove/v1/pool_service.pb.h"
#include "grove/v1/queue_service.pb.h"
#include "grove/v1/schedule_service.pb.h"
#include "grove/v1/task_service.pb.h"
#include "grove/v1/worker_service.pb.h"
#include "gtest/gtest.h"

namespace grove::control {
namespace {

constexpr std::string_view kReads[] = {"Get",       "List",  "Count",    "Explain",
                                       "BatchWait", "Watch", "WaitTask", "Read"};

using google::protobuf::FieldDescriptor;
using tenancy::Role;

// Null: the request has no such field.
const FieldDescriptor* FindField(const google::protobuf::Descriptor* message,
                                 std::string_view path) {
  for (;;) {
    const size_t dot = path.find('.');
    const FieldDescriptor* field = message->FindFieldByName(std::string(path.substr(0, dot)));
    if (field == nullptr || dot == path.npos) return field;
    message = field->message_type();
    if (message == nullptr) return nullptr;
    path.remove_prefix(dot + 1);
  }
}

TEST(MethodTable, HasARowForEveryMethodOfThePublicApi) {
  for (const google::protobuf::FileDescriptor* file :
       {v1::TaskSpec::descriptor()->file(), v1::Queue::descriptor()->file(),
        v1::Pool::descriptor()->file(), v1::Schedule::descriptor()->file(),
        v1::Payload::descriptor()->file(), v1::Worker::descriptor()->file(),
        v1::Fiber::descriptor()->file(), v1::OpenSessionRequest::descriptor()->file(),
        v1::Operation::descriptor()->file()}) {
    ASSERT_EQ(file->service_count(), 1);
    const google::protobuf::ServiceDescriptor* service = file->service(0);
    for (int i = 0; i < service->method_count(); ++i) {
      const std::string method = "/" + service->full_name() + "/" + service->method(i)->name();
      const MethodRow& row = FindMethod(method);
      EXPECT_EQ(row.method, method);
      EXPECT_NE(row.role, Role::kNone) << method;
      for (const FieldRule& rule : row.fields) {
        const FieldDescriptor* field = FindField(service->method(i)->input_type(), rule.path);
        ASSERT_NE(field, nullptr) << method << " has no " << rule.path;
        EXPECT_EQ(field->type(), FieldDescriptor::TYPE_STRING) << method << " " << rule.path;
      }
    }
  }
}

TEST(MethodTable, UnknownMethodsNeedAnAdministratorOfTheOperators) {
  for (const char* method : {"/grove.v1.TaskService/Nothing", ""}) {
    EXPECT_EQ(FindMethod(method).role, Role::kAdmin);
    EXPECT_EQ(FindMethod(method).reach, Reach::kOperators);
  }
}

TEST(MethodTable, OnlyReadingMethodsGoUnaudited) {
  for (const MethodRow& row : MethodTable()) {
    // What looks into processes: sessions are audited, lists are not.
    if (row.role == Role::kDebug || row.method.ends_with('*')) continue;
    const std::string_view name = row.method.substr(row.method.rfind('/') + 1);
    const bool reads = std::any_of(std::begin(kReads), std::end(kReads),
                                   [&](auto verb) { return name.starts_with(verb); });
    EXPECT_EQ(row.mutating, !reads) << row.method;
    EXPECT_TRUE(!row.mutating || row.role > Role::kViewer) << row.method;
  }
}

TEST(MethodTable, OnlyMethodsOfTenantsHaveRulesForFields) {
  for (const MethodRow& row : MethodTable()) {
    EXPECT_TRUE(row.reach == Reach::kTenant || row.fields.empty()) << row.method;
  }
}

TEST(MethodTable, RowsAreFoundWhenTheCodeIsMade) {
  static_assert(RowOf("TaskService/SpawnTask").mutating);
  EXPECT_EQ(&RowOf("TaskService/SpawnTask"), &FindMethod("/grove.v1.TaskService/SpawnTask"));
}

}  // namespace
}  // namespace grove::control
