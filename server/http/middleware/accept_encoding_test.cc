#include "server/http/middleware/accept_encoding.h"

#include "gtest/gtest.h"

namespace grove::http {
namespace {

// With the examples of RFC 9110, 12.5.3.
TEST(AcceptsGzip, WeighsIt) {
  for (const char* accept :
       {"gzip", "compress, gzip", "*", "compress;q=0.5, gzip;q=1.0",
        "gzip;q=1.0, identity;q=0.5, *;q=0", "GZIP", "x-gzip", "br, gzip ; q=0.8", "gzip;Q=0.001",
        "gzip;q=0.5, identity;q=0.5", "*;q=0.1", ",gzip,", "gzip, deflate, br, zstd"}) {
    EXPECT_TRUE(AcceptsGzip(accept)) << accept;
  }
  for (const char* accept :
       {"", "identity", "gzip;q=0", "gzip;q=0.000", "*;q=0", "gzip;q=0, *", "br", "gzipped",
        "gzip;q=0.5, identity;q=0.8", "gzip;q=2", "gzip;q=1.5", "gzip;q=", "gzip;q=0.1234",
        "gzip;q=a", "gzip;x=1", "gzip;q=-1", "x;gzip"}) {
    EXPECT_FALSE(AcceptsGzip(accept)) << accept;
  }
}

TEST(IsCompressible, ComparesTypesWithoutParametersAndCase) {
  const std::string types[] = {"text/*", "application/json"};
  for (const char* type : {"text/html", "Text/Plain; charset=utf-8", "application/JSON ; a=b"}) {
    EXPECT_TRUE(IsCompressible(type, types)) << type;
  }
  for (const char* type : {"", "text/", "text", "image/png", "application/json2", "xtext/html"}) {
    EXPECT_FALSE(IsCompressible(type, types)) << type;
  }
}

}  // namespace
}  // namespace grove::http
