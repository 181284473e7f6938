#include "server/control/reflection_service.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <memory>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "grpc/reflection/v1alpha/reflection.pb.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using grpc::reflection::v1::ExtensionRequest;
using grpc::reflection::v1::ServerReflectionRequest;
using grpc::reflection::v1::ServerReflectionResponse;

constexpr std::string_view kMethods[] = {
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"};

void SetError(grpc::StatusCode code, std::string message, ServerReflectionResponse& response) {
  response.mutable_error_response()->set_error_code(code);
  response.mutable_error_response()->set_error_message(std::move(message));
}

// The file and what it imports, each once.
void AddFiles(const FileDescriptor& file, absl::flat_hash_set<const FileDescriptor*>& seen,
              ServerReflectionResponse& response) {
  if (!seen.insert(&file).second) return;
  google::protobuf::FileDescriptorProto proto;
  file.CopyTo(&proto);
  response.mutable_file_descriptor_response()->add_file_descriptor_proto(proto.SerializeAsString());
  for (int i = 0; i < file.dependency_count(); ++i) AddFiles(*file.dependency(i), seen, response);
}

void AnswerFile(const FileDescriptor* file, const std::string& asked,
                ServerReflectionResponse& response) {
  if (file == nullptr) {
    return SetError(grpc::NOT_FOUND, absl::StrCat("no '", tasks::Cut(asked), "' here"), response);
  }
  absl::flat_hash_set<const FileDescriptor*> seen;
  AddFiles(*file, seen, response);
}

const FileDescriptor* FileOfExtension(const DescriptorPool& pool, const ExtensionRequest& asked) {
  const Descriptor* type = pool.FindMessageTypeByName(asked.containing_type());
  if (type == nullptr) return nullptr;
  const FieldDescriptor* field = pool.FindExtensionByNumber(type, asked.extension_number());
  return field == nullptr ? nullptr : field->file();
}

void AnswerExtensionNumbers(const DescriptorPool& pool, const std::string& type,
                            ServerReflectionResponse& response) {
  const Descriptor* descriptor = pool.FindMessageTypeByName(type);
  if (descriptor == nullptr) return AnswerFile(nullptr, type, response);
  std::vector<const FieldDescriptor*> fields;
  pool.FindAllExtensions(descriptor, &fields);
  auto* numbers = response.mutable_all_extension_numbers_response();
  numbers->set_base_type_name(type);
  for (const FieldDescriptor* field : fields) numbers->add_extension_number(field->number());
}

class Stream final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                     private LiveCall {
 public:
  static Stream* Start(const GrpcContext& grpc, const MethodRow& method,
                       absl::Span<const std::string> services,
                       grpc::CallbackServerContext* context) {
    auto* stream = new Stream(grpc, services);
    stream->self_.reset(stream);
    absl::StatusOr<Caller> caller = Admit(grpc, method, *context);
    if (!caller.ok()) {
      Reject(grpc, *context, caller.status(),
             [stream](const grpc::Status& answer) { stream->Finish(answer); });
      return stream;
    }
    stream->StartRead(&stream->received_);
    grpc.hub.Post([self = stream->self_, principal = std::move(caller->principal)] {
      if (!self->grpc_.live.Add(*self, principal)) self->EndRevoked();
    });
    return stream;
  }

 private:
  Stream(const GrpcContext& grpc, absl::Span<const std::string> services)
      : grpc_(grpc), services_(services) {}

  // Once; the hub may be first.
  void End(const grpc::Status& status) {
    {
      const absl::MutexLock lock(&mutex_);
      if (std::exchange(finished_, true)) return;
    }
    Finish(status);
  }
  void EndRevoked() override { End(ToGrpcStatus(TokenRevoked())); }

  void OnReadDone(bool ok) override {
    if (!ok) return End(grpc::Status::OK);
    ServerReflectionRequest request;
    absl::Status status = ParseMessage(received_, request, kReflectionRequestBytesMax);
    if (status.ok()) status = SerializeMessage(Reflect(request, services_), sent_);
    if (!status.ok()) return End(ToGrpcStatus(status));
    const absl::MutexLock lock(&mutex_);
    if (!finished_) StartWrite(&sent_);
  }
  void OnWriteDone(bool ok) override {
    if (!ok) return End(grpc::Status(grpc::CANCELLED, "the client went away"));
    const absl::MutexLock lock(&mutex_);
    if (!finished_) StartRead(&received_);
  }
  void OnDone() override {
    grpc_.hub.Post([self = std::move(self_)] { self->grpc_.live.Remove(*self); });
  }

  const GrpcContext grpc_;
  const absl::Span<const std::string> services_;
  grpc::ByteBuffer received_;
  grpc::ByteBuffer sent_;
  absl::Mutex mutex_;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<Stream> self_;
};

}  // namespace

ServerReflectionResponse Reflect(const ServerReflectionRequest& request,
                                 absl::Span<const std::string> services) {
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  ServerReflectionResponse response;
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  switch (request.message_request_case()) {
    case ServerReflectionRequest::kFileByFilename:
      AnswerFile(pool.FindFileByName(request.file_by_filename()), request.file_by_filename(),
                 response);
      break;
    case ServerReflectionRequest::kFileContainingSymbol:
      AnswerFile(pool.FindFileContainingSymbol(request.file_containing_symbol()),
                 request.file_containing_symbol(), response);
      break;
    case ServerReflectionRequest::kFileContainingExtension:
      AnswerFile(FileOfExtension(pool, request.file_containing_extension()),
                 request.file_containing_extension().containing_type(), response);
      break;
    case ServerReflectionRequest::kAllExtensionNumbersOfType:
      AnswerExtensionNumbers(pool, request.all_extension_numbers_of_type(), response);
      break;
    case ServerReflectionRequest::kListServices:
      for (const std::string& service : services) {
        response.mutable_list_services_response()->add_service()->set_name(service);
      }
      break;
    case ServerReflectionRequest::MESSAGE_REQUEST_NOT_SET:
      SetError(grpc::INVALID_ARGUMENT, "the request asks for nothing", response);
      break;
  }
  return response;
}

void AddReflectionMethods(const GrpcContext& grpc, std::vector<std::string> services,
                          RawService& service) {
  // Clients may ask for the older file, whose messages nothing else here names.
  grpc::reflection::v1alpha::ServerReflectionRequest::descriptor();
  auto shared = std::make_shared<const std::vector<std::string>>(std::move(services));
  for (std::string_view method : kMethods) {
    service.AddBidi(method,
                    [grpc, shared, &row = FindMethod(method)](RawService::Context* context) {
                      return Stream::Start(grpc, row, *shared, context);
                    });
  }
}

}  // namespace grove::control
