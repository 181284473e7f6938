#include "server/metrics/tenant_view.h"

#include "gtest/gtest.h"

namespace grove::metrics {
namespace {

TEST(SeriesOfTenant, TakesItsLinesAndWhatTheirFamiliesAre) {
  EXPECT_EQ(SeriesOfTenant("# HELP a What a is.\n"
                           "# TYPE a counter\n"
                           "a{tenant=\"acme\",queue=\"q\"} 1\n"
                           "a{tenant=\"globex\",queue=\"q\"} 2\n"
                           "a{queue=\"r\",tenant=\"acme\"} 3\n"
                           "# HELP b What b is.\n"
                           "# TYPE b gauge\n"
                           "b 4\n"
                           "# HELP c What c is.\n"
                           "# TYPE c histogram\n"
                           "c_bucket{tenant=\"globex\",le=\"1\"} 5\n"
                           "c_bucket{tenant=\"acme\",le=\"1\"} 6\n",
                           "acme"),
            "# HELP a What a is.\n"
            "# TYPE a counter\n"
            "a{tenant=\"acme\",queue=\"q\"} 1\n"
            "a{queue=\"r\",tenant=\"acme\"} 3\n"
            "# HELP c What c is.\n"
            "# TYPE c histogram\n"
            "c_bucket{tenant=\"acme\",le=\"1\"} 6\n");
}

TEST(SeriesOfTenant, IsNotTakenInByNamesThatLookLikeIt) {
  EXPECT_EQ(SeriesOfTenant("a{tenant=\"acme-2\"} 1\n"
                           "a{subtenant=\"acme\"} 1\n"
                           "a{route=\"{tenant=\\\"acme\\\"\",tenant=\"globex\"} 1\n"
                           "a{route=\"x,tenant=\\\"acme\\\"\"} 1\n",
                           "acme"),
            "");
}

}  // namespace
}  // namespace grove::metrics
