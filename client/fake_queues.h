// What a fake server says of its queues, pools and tenants' shares.
#ifndef GROVE_CLIENT_FAKE_QUEUES_H_
#define GROVE_CLIENT_FAKE_QUEUES_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <string>

#include "client/fake_streams.h"
#include "grove/v1/fairness_service.grpc.pb.h"
#include "grove/v1/pool_service.grpc.pb.h"
#include "grove/v1/queue_service.grpc.pb.h"

namespace grove::client {

class FakeQueues : public v1::QueueService::Service {
 public:
  grpc::Status ListQueues(grpc::ServerContext*, const v1::ListQueuesRequest*,
                          v1::ListQueuesResponse* response) override {
    Fill("tenants/default/queues/default", *response->add_queues());
    return grpc::Status::OK;
  }
  grpc::Status GetQueue(grpc::ServerContext*, const v1::GetQueueRequest* request,
                        v1::GetQueueResponse* response) override {
    Fill(request->name(), *response->mutable_queue());
    return grpc::Status::OK;
  }
  // As it is, at once, and never again.
  grpc::Status WatchQueue(grpc::ServerContext* context, const v1::WatchQueueRequest* request,
                          grpc::ServerWriter<v1::WatchQueueResponse>* stream) override {
    v1::WatchQueueResponse response;
    Fill(request->name(), *response.add_queues());
    response.set_resume_token("q");
    stream->Write(response);
    FakeStreams::AwaitEnd(*context);
    return grpc::Status::OK;
  }
  grpc::Status PauseQueue(grpc::ServerContext*, const v1::PauseQueueRequest* request,
                          v1::PauseQueueResponse* response) override {
    Fill(request->name(), *response->mutable_queue());
    response->mutable_queue()->set_pause_reason(request->reason());
    return grpc::Status::OK;
  }
  grpc::Status ResumeQueue(grpc::ServerContext*, const v1::ResumeQueueRequest* request,
                           v1::ResumeQueueResponse* response) override {
    Fill(request->name(), *response->mutable_queue());
    response->mutable_queue()->set_state(v1::Queue::STATE_ACTIVE);
    return grpc::Status::OK;
  }
  grpc::Status PurgeQueue(grpc::ServerContext*, const v1::PurgeQueueRequest* request,
                          v1::PurgeQueueResponse* response) override {
    response->set_matched(5);
    response->set_purged(request->validate_only() ? 0 : 5);
    return grpc::Status::OK;
  }

 private:
  static void Fill(const std::string& name, v1::Queue& queue) {
    queue.set_name(name);
    queue.set_state(v1::Queue::STATE_PAUSED);
    queue.set_order(v1::Queue::ORDER_FIFO);
    queue.set_pool("tenants/default/pools/default");
  }
};

class FakePools : public v1::PoolService::Service {
 public:
  grpc::Status ListPools(grpc::ServerContext*, const v1::ListPoolsRequest*,
                         v1::ListPoolsResponse* response) override {
    Fill("tenants/default/pools/default", *response->add_pools());
    return grpc::Status::OK;
  }
  grpc::Status GetPool(grpc::ServerContext*, const v1::GetPoolRequest* request,
                       v1::GetPoolResponse* response) override {
    Fill(request->name(), *response->mutable_pool());
    return grpc::Status::OK;
  }
  grpc::Status ResizePool(grpc::ServerContext*, const v1::ResizePoolRequest* request,
                          v1::ResizePoolResponse* response) override {
    size_ = request->size();
    Fill(request->name(), *response->mutable_pool());
    return grpc::Status::OK;
  }

 private:
  void Fill(const std::string& name, v1::Pool& pool) {
    pool.set_name(name);
    pool.set_size(size_);
  }
  int64_t size_ = 10;
};

class FakeFairness : public v1::FairnessService::Service {
 public:
  grpc::Status GetFairness(grpc::ServerContext*, const v1::GetFairnessRequest* request,
                           v1::GetFairnessResponse* response) override {
    for (const char* tenant : {"tenants/acme", "tenants/default"}) {
      if (!request->parent().empty() && request->parent() != tenant) continue;
      v1::TenantShare& share = *response->add_shares();
      share.set_tenant(tenant);
      share.set_weight(100 * response->shares_size());
      share.set_share(0.3 * response->shares_size());
      share.set_fair_share(0.25);
      share.mutable_worker_time_10s()->set_seconds(3);
      share.mutable_over_share()->set_seconds(-2);
      share.mutable_http_time_10s()->set_seconds(1);
      share.mutable_http_time_total()->set_seconds(70);
      share.set_running(4);
      share.set_backlog(7);
      share.mutable_start_p99()->set_nanos(80'000'000);
    }
    if (!request->parent().empty()) return grpc::Status::OK;
    response->mutable_daemon()->set_jain(0.9975);
    response->mutable_daemon()->set_slots(20);
    response->mutable_daemon()->set_running(8);
    response->mutable_daemon()->set_tenants_active(2);
    return grpc::Status::OK;
  }
};

}  // namespace grove::client

#endif  // GROVE_CLIENT_FAKE_QUEUES_H_
