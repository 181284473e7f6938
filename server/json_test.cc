#include "server/json.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/offload/offload.h"
#include "server/functions/fetch.h"

namespace grove {

struct Order {
  std::string kind;
  int pieces = 1;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Order, kind, pieces)

struct Fruit {
  std::string name;
  int grams = 0;
};
void JsonFields(auto& fields, Fruit& fruit) {
  fields.Required("name", fruit.name);
  fields.Optional("grams", fruit.grams);
}

struct Basket {
  std::vector<Fruit> fruits;
};
void JsonFields(auto& fields, Basket& basket) {
  fields.Required("fruits", basket.fruits);
}

namespace {

using ::testing::HasSubstr;

TEST(Json, IsReadAsATypeOrRefusedWithTheKey) {
  const absl::StatusOr<Order> order = FromJson<Order>(R"({"kind": "book", "pieces": 3})");
  ASSERT_TRUE(order.ok()) << order.status();
  EXPECT_EQ(order->kind, "book");
  EXPECT_EQ(order->pieces, 3);
  const auto problem = [](std::string_view text) {
    const absl::Status status = FromJson<Order>(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_EQ(problem(R"({"kind": "book"})"), "key 'pieces' not found");
  EXPECT_THAT(problem(R"({"kind": 7, "pieces": 3})"), HasSubstr("type must be string"));
  EXPECT_THAT(problem("{"), HasSubstr("no JSON: parse error at line 1, column 2"));
  EXPECT_THAT(problem(""), HasSubstr("no JSON"));
}

TEST(Json, IsWrittenFromAType) {
  EXPECT_EQ(ToJson(Order{"book", 3}), R"({"kind":"book","pieces":3})");
  EXPECT_EQ(ToJson(std::string("\xff")), "\"\xef\xbf\xbd\"");
}

TEST(Json, OfABodyIsReadByItsType) {
  class Body : public http::BodySource {
   public:
    absl::StatusOr<size_t> Read(std::span<char> buffer) override {
      if (read_) return 0;
      read_ = true;
      const std::string_view text = R"({"kind":"book","pieces":2})";
      return text.copy(buffer.data(), buffer.size());
    }

   private:
    bool read_ = false;
  };
  const auto read = [](std::string_view type) {
    Body body;
    const http::Field fields[] = {{"Content-Type", type}};
    http::Request request;
    request.body = &body;
    request.fields = http::FieldSpan(fields);
    return ReadJson<Order>(request);
  };
  EXPECT_EQ(read("application/json; charset=utf-8")->pieces, 2);
  EXPECT_EQ(read("application/vnd.shop+json")->pieces, 2);
  EXPECT_THAT(std::string(read("text/plain").status().message()), HasSubstr("application/json"));
}

class OneTask final : public TaskContext {
 public:
  explicit OneTask(std::string input) : input_(std::move(input)) {}
  std::string_view task() const override { return "tenants/default/tasks/1"; }
  std::string_view tenant() const override { return "default"; }
  std::string_view function() const override { return "f"; }
  int attempt() const override { return 1; }
  std::string_view input() const override { return input_; }
  std::string_view content_type() const override { return "application/json"; }
  std::string_view checkpoint() const override { return ""; }
  absl::Time deadline() const override { return absl::InfiniteFuture(); }
  bool cancelled() const override { return false; }
  void Heartbeat() override {}
  absl::Status Checkpoint(std::string) override { return absl::OkStatus(); }
  void ReportProgress(double, std::string_view) override {}
  void Log(std::string_view) override {}
  WorkerServices& services() override { return services_; }

 private:
  const std::string input_;
  std::unique_ptr<functions::FetchClient> fetch_ =
      *functions::FetchClient::Create(functions::FetchPolicy{});
  OffloadPool offload_{{}};
  WorkerServices services_{.worker = 0, .fetch = *fetch_, .offload = offload_};
};

TEST(JsonFunction, TakesAndGivesTypes) {
  const Function price =
      JsonFunction<Order>([](TaskContext&, const Order& order) -> absl::StatusOr<Order> {
        if (order.pieces == 0) return absl::NotFoundError("none");
        return Order{order.kind, order.pieces * 2};
      });
  OneTask good(R"({"kind":"book","pieces":2})"), bad("[]"), none(R"({"kind":"","pieces":0})");
  const absl::StatusOr<Output> output = price(good);
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_EQ(output->bytes, R"({"kind":"book","pieces":4})");
  EXPECT_EQ(output->content_type, "application/json");
  EXPECT_EQ(price(bad).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(price(none).status().code(), absl::StatusCode::kNotFound);
}

TEST(JsonFunction, SaysWhichFieldOfItsInputIsWrong) {
  const Function count =
      JsonFunction<Basket>([](TaskContext&, const Basket& basket) -> absl::StatusOr<Basket> {
        Basket twice = basket;
        for (Fruit& fruit : twice.fruits) fruit.grams *= 2;
        return twice;
      });
  OneTask good(R"({"fruits":[{"name":"fig","grams":30}]})"), bad(R"({"fruits":[{"name":7}]})");
  EXPECT_EQ(count(good)->bytes, R"({"fruits":[{"grams":60,"name":"fig"}]})");
  EXPECT_EQ(count(bad).status(),
            absl::InvalidArgumentError("fruits[0].name: expected a string, found a number"));
}

TEST(JsonFunction, AnEmptyInputIsAnEmptyObject) {
  const Function size = JsonFunction<nlohmann::json>(
      [](TaskContext&, const nlohmann::json& given) -> absl::StatusOr<size_t> {
        return given.size();
      });
  OneTask empty("");
  EXPECT_EQ(size(empty)->bytes, "0");
}

}  // namespace
}  // namespace grove
