#include "server/examples/shop_application.h"

#include <gtest/gtest.h>

#include "server/test_kit/test_application.h"

namespace grove::examples {
namespace {

using test_kit::TestAnswer;
using test_kit::TestApplication;

constexpr char kConfig[] =
    "{application: {currency: CHF, order_max: 20, payment: {key: secret}},"
    " http: {middleware: [{own: {name: stamp, options: {field: X-Shop, value: north}}}]}}";

class ShopTest : public ::testing::Test {
 protected:
  // Its status, once the body has run beside the shop.
  absl::Status Run(const std::string& config, const std::function<void(TestApplication&)>& body) {
    TestApplication test(application_, config);
    return test.Run([&] { body(test); });
  }

  Application application_{"shop"};
  Shop shop_{application_};
};

TEST_F(ShopTest, OrdersAreCountedStampedAndInTheJournal) {
  const absl::Status status = Run(kConfig, [&](TestApplication& test) {
    EXPECT_TRUE(shop_.journal.open);
    const TestAnswer order = test.Request("POST", "/orders/book", "3");
    EXPECT_EQ(order.body, "3 book, in CHF\n");
    EXPECT_EQ(order.Field("X-Shop"), "north");
    EXPECT_EQ(test.Request("POST", "/orders/pen", "20").status, 200);
    EXPECT_EQ(test.Request("POST", "/orders/pen", "21").status, 400);
    EXPECT_EQ(test.Request("GET", "/journal").body, "3 book\n20 pen");
    EXPECT_EQ(shop_.metrics.orders.With({"book"}).value(), 1);
  });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_FALSE(shop_.journal.open);
}

TEST_F(ShopTest, APaymentSaysWhoseAccountPays) {
  const absl::Status status = Run(kConfig, [&](TestApplication& test) {
    EXPECT_EQ(test.Call("shop.pay", "12").output, "account 6 of worker 0 pays 12");
  });
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(ShopTest, WhatItCannotRunWithIsRefused) {
  const auto message = [&](const std::string& config) {
    return std::string(Run(config, [](TestApplication&) { ADD_FAILURE() << "it runs"; }).message());
  };
  EXPECT_NE(message("application: {currency: EUR}").find("application.payment.key"),
            std::string::npos);
  EXPECT_NE(message("application: {currency: CHF, order_max: 200, payment: {key: a}}")
                .find("order_max is at most 100 in CHF"),
            std::string::npos);
  EXPECT_EQ(message("application: {payment: {key: wrong}}"),
            "start hook \"journal\": the payment service does not know the key");
}

}  // namespace
}  // namespace grove::examples
