// What a fake server says of its workers: one answers, the other never does.
#ifndef GROVE_CLIENT_FAKE_WORKERS_H_
#define GROVE_CLIENT_FAKE_WORKERS_H_

#include <grpcpp/grpcpp.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "client/fake_error.h"
#include "grove/v1/backdoor_service.grpc.pb.h"
#include "grove/v1/inspect_service.grpc.pb.h"
#include "grove/v1/worker_service.grpc.pb.h"

namespace grove::client {

class FakeWorkers : public v1::WorkerService::Service {
 public:
  grpc::Status ListWorkers(grpc::ServerContext*, const v1::ListWorkersRequest*,
                           v1::ListWorkersResponse* response) override {
    auto& worker = *response->add_workers();
    worker.set_name("workers/0");
    worker.set_state(v1::Worker::STATE_READY);
    return grpc::Status::OK;
  }
  // Says what it was asked; of "/long" not all, and of "/none" nothing.
  grpc::Status InjectHttpRequest(grpc::ServerContext*, const v1::InjectHttpRequestRequest* request,
                                 v1::InjectHttpRequestResponse* response) override {
    if (request->target() == "/none") {
      const auto error = FakeError(grpc::UNAVAILABLE, "is not asked", "WORKER_UNREACHABLE");
      return grpc::Status(grpc::UNAVAILABLE, error.message(), error.SerializeAsString());
    }
    response->set_worker(request->name().empty() ? "workers/0" : request->name());
    response->set_status(201);
    for (const auto& header : request->headers()) {
      auto& field = *response->add_headers();
      field.set_name("X-Got");
      field.set_value(header.name() + "=" + header.value());
    }
    response->set_body(request->method() + " " + request->target() + " " + request->body());
    response->set_body_end(request->target() == "/long"
                               ? v1::InjectHttpRequestResponse::BODY_END_TOO_LONG
                               : v1::InjectHttpRequestResponse::BODY_END_COMPLETE);
    response->mutable_head_duration()->set_nanos(1'500'000);
    response->mutable_duration()->set_nanos(2'000'000);
    return grpc::Status::OK;
  }
};

class FakeInspect : public v1::InspectService::Service {
 public:
  // Worker 1 never answers.
  grpc::Status ListFibers(grpc::ServerContext*, const v1::ListFibersRequest* request,
                          v1::ListFibersResponse* response) override {
    auto& fiber = *response->add_fibers();
    fiber.set_name("workers/0/fibers/17");
    fiber.set_display_name("main");
    fiber.set_state(v1::Fiber::STATE_PARKED);
    if (request->view() == v1::FIBER_VIEW_FULL) fiber.add_stack("grove::Event::Wait()+0x5e");
    if (request->parent() != "workers/0") response->add_unreachable("workers/1");
    if (request->page_token().empty()) response->set_next_page_token("2");
    return grpc::Status::OK;
  }
  grpc::Status GetFiber(grpc::ServerContext*, const v1::GetFiberRequest* request,
                        v1::Fiber* fiber) override {
    if (request->name() != "workers/0/fibers/17") {
      return {grpc::StatusCode::NOT_FOUND, "no " + request->name()};
    }
    fiber->set_name(request->name());
    fiber->add_stack("grove::Event::Wait()+0x5e");
    return grpc::Status::OK;
  }
  grpc::Status ListFunctions(grpc::ServerContext*, const v1::ListFunctionsRequest*,
                             v1::ListFunctionsResponse* response) override {
    auto& function = *response->add_functions();
    function.set_name("functions/echo");
    function.set_description("Returns its input.");
    return grpc::Status::OK;
  }
};

class FakeBackdoor : public v1::BackdoorService::Service {
 public:
  grpc::Status OpenSession(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<v1::OpenSessionResponse, v1::OpenSessionRequest>* stream) override {
    v1::OpenSessionRequest request;
    if (!stream->Read(&request) || request.worker() != "workers/0") {
      const auto error = FakeError(grpc::NOT_FOUND, "no such worker", "WORKER_UNKNOWN");
      return grpc::Status(grpc::NOT_FOUND, error.message(), error.SerializeAsString());
    }
    const auto say = [&](const std::string& text) {
      v1::OpenSessionResponse response;
      response.set_output(text);
      stream->Write(response);
    };
    say("grove worker 0, pid 1. Lua 5.4\n> ");
    while (stream->Read(&request)) {
      for (const std::string& line : Lines(request.input())) say(Answer(line));
    }
    say("\n");
    return grpc::Status::OK;
  }

 private:
  static std::vector<std::string> Lines(const std::string& text) {
    std::vector<std::string> lines = absl::StrSplit(text, '\n');
    lines.pop_back();
    return lines;
  }
  static std::string Answer(const std::string& line) {
    if (line == "do") return ">> ";
    if (absl::StartsWith(line, "bad")) return "before\nerror: " + line + "\n> ";
    return line + "\n> ";
  }
};

}  // namespace grove::client

#endif  // GROVE_CLIENT_FAKE_WORKERS_H_
