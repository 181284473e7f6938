#include "server/control/reflection_service.h"

#include <google/protobuf/descriptor.pb.h>

#include "gmock/gmock.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "server/control/control_fixture.h"

namespace grove::control {
namespace {

namespace v1r = grpc::reflection::v1;
namespace v1alpha = grpc::reflection::v1alpha;

using testing::ElementsAre;
using testing::IsSupersetOf;

std::vector<std::string> FilesOf(const v1r::ServerReflectionResponse& response) {
  std::vector<std::string> names;
  for (const std::string& bytes : response.file_descriptor_response().file_descriptor_proto()) {
    google::protobuf::FileDescriptorProto file;
    EXPECT_TRUE(file.ParseFromString(bytes));
    names.push_back(file.name());
  }
  return names;
}

template <typename Response>
std::vector<std::string> ServicesOf(const Response& response) {
  std::vector<std::string> names;
  for (const auto& service : response.list_services_response().service()) {
    names.push_back(service.name());
  }
  return names;
}

TEST(Reflect, FindsTheFileOfASymbolAndWhatItImports) {
  v1r::ServerReflectionRequest request;
  for (const char* symbol : {"grpc.reflection.v1.ServerReflection",
                             "grpc.reflection.v1.ServerReflection.ServerReflectionInfo",
                             "grpc.reflection.v1.ErrorResponse.error_code"}) {
    request.set_file_containing_symbol(symbol);
    EXPECT_THAT(FilesOf(Reflect(request, {})), ElementsAre("grpc/reflection/v1/reflection.proto"));
  }
  request.set_file_containing_symbol("google.rpc.Status");
  EXPECT_THAT(FilesOf(Reflect(request, {})),
              ElementsAre("google/rpc/status.proto", "google/protobuf/any.proto"));
  request.set_file_by_filename("grpc/reflection/v1alpha/reflection.proto");
  EXPECT_EQ(FilesOf(Reflect(request, {})).size(), 1);
}

TEST(Reflect, SaysWhatIsNotThere) {
  v1r::ServerReflectionRequest request;
  EXPECT_EQ(Reflect(request, {}).error_response().error_code(), grpc::INVALID_ARGUMENT);
  request.set_host("a.host");
  request.set_file_by_filename("no.proto");
  const v1r::ServerReflectionResponse response = Reflect(request, {});
  EXPECT_EQ(response.error_response().error_code(), grpc::NOT_FOUND);
  EXPECT_EQ(response.error_response().error_message(), "no 'no.proto' here");
  EXPECT_EQ(response.valid_host(), "a.host");
  EXPECT_EQ(response.original_request().file_by_filename(), "no.proto");
  request.set_file_containing_symbol("no.Symbol");
  EXPECT_EQ(Reflect(request, {}).error_response().error_code(), grpc::NOT_FOUND);
  request.set_all_extension_numbers_of_type("no.Type");
  EXPECT_EQ(Reflect(request, {}).error_response().error_code(), grpc::NOT_FOUND);
  request.mutable_file_containing_extension()->set_containing_type("google.rpc.Status");
  EXPECT_EQ(Reflect(request, {}).error_response().error_code(), grpc::NOT_FOUND);
}

TEST(Reflect, NumbersExtensions) {
  v1r::ServerReflectionRequest request;
  request.set_all_extension_numbers_of_type("google.rpc.Status");
  const v1r::ServerReflectionResponse response = Reflect(request, {});
  EXPECT_EQ(response.all_extension_numbers_response().base_type_name(), "google.rpc.Status");
  EXPECT_EQ(response.all_extension_numbers_response().extension_number_size(), 0);
}

class ReflectionServiceTest : public ControlFixture {};

TEST_F(ReflectionServiceTest, BothVersionsListEveryServiceAndEachOther) {
  StartControl();
  const auto expected =
      IsSupersetOf({"grove.v1.TaskService", "grove.v1.BackdoorService", "grpc.channelz.v1.Channelz",
                    "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
                    "grpc.reflection.v1alpha.ServerReflection"});
  const auto list = [this](auto stub, auto request, auto response) {
    grpc::ClientContext context;
    auto stream = stub->ServerReflectionInfo(&context);
    request.set_list_services("*");
    EXPECT_TRUE(stream->Write(request));
    EXPECT_TRUE(stream->Read(&response));
    const std::vector<std::string> services = ServicesOf(response);
    // Each of them can be described.
    for (const std::string& service : services) {
      request.set_file_containing_symbol(service);
      EXPECT_TRUE(stream->Write(request));
      EXPECT_TRUE(stream->Read(&response));
      EXPECT_TRUE(response.has_file_descriptor_response()) << service;
    }
    stream->WritesDone();
    EXPECT_TRUE(stream->Finish().ok());
    return services;
  };
  EXPECT_THAT(list(v1r::ServerReflection::NewStub(channel_), v1r::ServerReflectionRequest(),
                   v1r::ServerReflectionResponse()),
              expected);
  EXPECT_THAT(list(v1alpha::ServerReflection::NewStub(channel_), v1alpha::ServerReflectionRequest(),
                   v1alpha::ServerReflectionResponse()),
              expected);
}

TEST_F(ReflectionServiceTest, ALongQuestionIsRefused) {
  StartControl();
  grpc::ClientContext context;
  auto stream = v1r::ServerReflection::NewStub(channel_)->ServerReflectionInfo(&context);
  v1r::ServerReflectionRequest request;
  request.set_file_by_filename(std::string(kReflectionRequestBytesMax, 'x'));
  stream->Write(request);
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

}  // namespace
}  // namespace grove::control
