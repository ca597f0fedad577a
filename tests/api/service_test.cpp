// What every route has in common: states of the server, models, probes, keys.
#include "api/service_fixture.h"

namespace glm5::api {
namespace {

TEST_F(ServiceTest, AnswersThatItIsLoading) {
    service_.set_progress(25, 100);
    for (const auto& [method, path] : {std::pair{"GET", "/health"},
                                       {"GET", "/v1/models"},
                                       {"POST", "/v1/completions"},
                                       {"POST", "/v1/chat/completions"}}) {
        const auto exchange = send(method, path, "{}");
        EXPECT_EQ(exchange->response.status, 503) << path;
        EXPECT_EQ(exchange->response.headers.find("retry-after"), "5");
        EXPECT_EQ(member(*body_of(*exchange).find("error"), "message"), "\"Loading model: 25 %.\"");
    }
    EXPECT_EQ(send("GET", "/version")->response.status, 200);
    load();
    EXPECT_EQ(send("GET", "/health")->response.status, 200);
    service_.set_draining();
    EXPECT_EQ(send("GET", "/health")->response.status, 503);
    EXPECT_EQ(send("POST", "/v1/completions", "{}")->response.status, 503);
}

TEST_F(ServiceTest, ListsEveryServedName) {
    load();
    const json::Value list = body_of(*send("GET", "/v1/models"));
    ASSERT_EQ(list.find("data")->as_array().size(), 2u);
    const json::Value& first = list.find("data")->as_array()[0];
    EXPECT_EQ(member(first, "id"), "\"nano\"");
    EXPECT_EQ(member(first, "max_model_len"), "100");
    EXPECT_EQ(member(first, "root"), "\"root\"");
    EXPECT_EQ(member(body_of(*send("GET", "/v1/models/alias")), "id"), "\"alias\"");
    EXPECT_EQ(send("GET", "/v1/models/other")->response.status, 404);
}

TEST_F(ServiceTest, RefusesOtherContentTypes) {
    load();
    for (const char* type : {"", "text/plain", "application/jsonp", "application/x-www-form-urlencoded"})
        EXPECT_EQ(send("POST", "/v1/completions", "{}", type)->response.status, 415) << type;
    for (const char* type : {"application/json", "Application/JSON; charset=utf-8", "application/json ;x"}) {
        const auto exchange = send("POST", "/v1/completions", "{}", type);
        EXPECT_TRUE(exchange->run_until([&] { return exchange->ended; }));
        EXPECT_EQ(exchange->response.status, 400) << type;
    }
}

TEST_F(ServiceTest, LoadCountsWhatIsNotAnswered) {
    const auto load_now = [&] { return member(body_of(*send("GET", "/load")), "server_load"); };
    EXPECT_EQ(load_now(), "0");
    load();
    engine_.stats = {.running = 3, .waiting = 2, .pages_used = 5, .pages_total = 9};
    auto exchange = submit_chat("");
    EXPECT_EQ(load_now(), "1");
    const json::Value rank = body_of(*send("GET", "/v1/loads")).find("loads")->as_array()[0];
    EXPECT_EQ(member(rank, "num_running_reqs"), "3");
    EXPECT_EQ(member(rank, "num_waiting_reqs"), "2");
    EXPECT_EQ(member(rank, "num_used_pages"), "5");
    EXPECT_EQ(member(rank, "num_total_pages"), "9");
    event(*exchange, "x", FinishReason::length);
    engine_.sinks.clear();
    engine_.sink = nullptr;
    EXPECT_EQ(load_now(), "0");
    ask("/v1/completions", "{}");
    EXPECT_EQ(load_now(), "0");
}

TEST_F(ServiceTest, Probes) {
    service_.set_progress(25, 100);
    EXPECT_EQ(send("GET", "/livez")->response.status, 200);
    EXPECT_EQ(send("GET", "/readyz")->response.status, 503);
    EXPECT_EQ(send("GET", "/readyz")->response.body, R"({"status":"loading","loaded_bytes":25,"total_bytes":100})");
    load();
    for (const char* path : {"/livez", "/readyz", "/health", "/ping"})
        EXPECT_EQ(send("GET", path)->response.status, 200) << path;
    service_.set_draining();
    EXPECT_EQ(send("GET", "/livez")->response.status, 200);
    EXPECT_EQ(send("GET", "/readyz")->response.status, 503);
    EXPECT_NE(send("GET", "/readyz")->response.body.find("draining"), std::string::npos);
}

TEST_F(ServiceTest, AFailedEngineShowsEverywhere) {
    load();
    engine_.stats.failed = true;
    for (const char* path : {"/health", "/ping", "/livez", "/readyz", "/v1/models"})
        EXPECT_EQ(send("GET", path)->response.status, 503) << path;
    EXPECT_NE(send("GET", "/readyz")->response.body.find("failed"), std::string::npos);
    const auto exchange = send("POST", "/v1/completions", R"({"prompt": "hi"})");
    EXPECT_EQ(exchange->response.status, 503);
    EXPECT_EQ(member(*body_of(*exchange).find("error"), "message"), "\"The engine has failed.\"");
    EXPECT_EQ(send("GET", "/metrics")->response.status, 200);
}

TEST_F(ServiceTest, WhatIsNotTextGenerationIsA404) {
    for (const char* path : {"/v1/embeddings", "/rerank", "/v1/audio/speech", "/v1/images/generations"}) {
        const auto exchange = send("POST", path, "{}");
        EXPECT_EQ(exchange->response.status, 404);
        EXPECT_EQ(member(*body_of(*exchange).find("error"), "message"), "\"This server serves text generation only.\"");
    }
}

class GuardedServiceTest : public ServiceTest {
protected:
    GuardedServiceTest() : ServiceTest({.model_names = {"m"}, .api_keys = {"first key", "second"}}) {}

    http::Response get(const std::string& path, const std::string& name, const std::string& value,
                       const std::string& method = "GET") {
        http::Request request;
        request.method = method;
        request.path = request.target = path;
        if (!name.empty()) request.headers.add(name, value);
        const auto exchange = std::make_shared<FakeExchange>(std::move(request));
        service_.handler()(exchange);
        if (exchange->response.status == 401) {
            EXPECT_EQ(exchange->headers.find("WWW-Authenticate"), "Bearer");
        }
        return exchange->response;
    }
};

TEST_F(GuardedServiceTest, KeysAreTakenFromEitherHeader) {
    load();
    const struct {
        const char* name;
        const char* value;
        int status;
    } cases[] = {
        {"Authorization", "Bearer first key", 200},
        {"authorization", "bearer second", 200},
        {"Authorization", "Bearer   second", 200},
        {"x-api-key", "second", 200},
        {"X-API-Key", "first key", 200},
        {"", "", 401},
        {"Authorization", "Bearer second ", 401},
        {"Authorization", "Bearer", 401},
        {"Authorization", "Bearer ", 401},
        {"Authorization", "second", 401},
        {"Authorization", "Basic second", 401},
        {"x-api-key", "", 401},
        {"x-api-key", "Second", 401},
        {"x-api-key", "secon", 401},
        {"x-api-key", "second1", 401},
    };
    for (const auto& expected : cases)
        EXPECT_EQ(get("/v1/models", expected.name, expected.value).status, expected.status)
            << expected.name << ": " << expected.value;
    const auto error = json::parse(get("/v1/models", "x-api-key", "guess").body);
    EXPECT_EQ(member(*error->find("error"), "type"), "\"authentication_error\"");
    EXPECT_EQ(member(*error->find("error"), "message"), "\"The API key is not valid.\"");
    EXPECT_EQ(member(*error->find("error"), "code"), "401");
}

TEST_F(GuardedServiceTest, OnlyProbesAndMetricsAreOpen) {
    load();
    for (const char* path : {"/health", "/livez", "/readyz", "/ping", "/metrics"})
        EXPECT_EQ(get(path, "", "").status, 200) << path;
    for (const char* path : {"/version", "/load", "/v1/loads", "/v1/models/m", "/nothing", "/v1/chat/completions"})
        EXPECT_EQ(get(path, "", "").status, 401) << path;
    EXPECT_EQ(get("/v1/models", "", "", "OPTIONS").status, 405);
}

}  // namespace
}  // namespace glm5::api
