#include "server/control/health_service.h"

#include "grpc/health/v1/health.grpc.pb.h"
#include "server/control/control_fixture.h"

namespace grove::control {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using grpc::health::v1::HealthListResponse;

class HealthServiceTest : public ControlFixture {
 protected:
  void Start() {
    StartControl();
    health_ = Health::NewStub(channel_);
  }

  grpc::Status Check(const std::string& service, HealthCheckResponse& response) {
    grpc::ClientContext context;
    HealthCheckRequest request;
    request.set_service(service);
    return health_->Check(&context, request, &response);
  }

  std::unique_ptr<grpc::ClientReader<HealthCheckResponse>> Watch(grpc::ClientContext& context,
                                                                 const std::string& service) {
    HealthCheckRequest request;
    request.set_service(service);
    return health_->Watch(&context, request);
  }

  std::unique_ptr<Health::Stub> health_;
};

TEST_F(HealthServiceTest, ChecksTheServerAndEachOfItsServices) {
  Start();
  for (const char* service : {"", "grove.v1.TaskService", "grove.v1.BackdoorService"}) {
    HealthCheckResponse response;
    EXPECT_TRUE(Check(service, response).ok()) << service;
    EXPECT_EQ(response.status(), HealthCheckResponse::SERVING) << service;
  }
  HealthCheckResponse response;
  EXPECT_EQ(Check("grove.v1.Nothing", response).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(HealthServiceTest, ListsThemAll) {
  Start();
  grpc::ClientContext context;
  HealthListResponse response;
  ASSERT_TRUE(health_->List(&context, {}, &response).ok());
  EXPECT_EQ(response.statuses_size(), 13);
  for (const auto& [service, status] : response.statuses()) {
    EXPECT_EQ(status.status(), HealthCheckResponse::SERVING) << service;
  }
  EXPECT_TRUE(response.statuses().contains(""));
  EXPECT_TRUE(response.statuses().contains("grove.v1.InspectService"));
  EXPECT_TRUE(response.statuses().contains("grove.v1.ScheduleService"));
}

TEST_F(HealthServiceTest, WatchersHearThatTheServerStops) {
  Start();
  grpc::ClientContext known, unknown;
  auto server = Watch(known, "");
  auto nothing = Watch(unknown, "grove.v1.Nothing");
  HealthCheckResponse response;
  ASSERT_TRUE(server->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  ASSERT_TRUE(nothing->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVICE_UNKNOWN);
  BeginStop();
  ASSERT_TRUE(server->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  EXPECT_FALSE(server->Read(&response));
  EXPECT_FALSE(nothing->Read(&response));
  EXPECT_EQ(server->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(nothing->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(HealthServiceTest, AWatchThatIsCancelledGivesItsPlaceBack) {
  Start();
  for (size_t i = 0; i <= kHealthWatchesMax; ++i) {
    grpc::ClientContext context;
    auto watch = Watch(context, "");
    HealthCheckResponse response;
    // Places come back when the server has heard of the client's end.
    const bool taken = watch->Read(&response);
    context.TryCancel();
    const grpc::StatusCode code = watch->Finish().error_code();
    if (!taken) {
      ASSERT_EQ(code, grpc::StatusCode::RESOURCE_EXHAUSTED);
      --i;
    }
  }
}

TEST_F(HealthServiceTest, WatchesAreBounded) {
  Start();
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<HealthCheckResponse>>> watches;
  HealthCheckResponse response;
  for (size_t i = 0; i < kHealthWatchesMax; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    watches.push_back(Watch(*contexts.back(), ""));
    ASSERT_TRUE(watches.back()->Read(&response));
  }
  grpc::ClientContext context;
  auto one_more = Watch(context, "");
  EXPECT_FALSE(one_more->Read(&response));
  const grpc::Status status = one_more->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ReasonOf(status), "TOO_MANY_WATCHES");
  for (auto& each : contexts) each->TryCancel();
  for (auto& each : watches) each->Finish();
}

}  // namespace
}  // namespace grove::control
