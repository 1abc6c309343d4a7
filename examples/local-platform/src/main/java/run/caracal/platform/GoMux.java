package run.caracal.platform;

import java.util.Optional;

/** The answers of Go's own router, which STS and Gateway use. */
final class GoMux {
    private GoMux() {}

    /** The redirect to the path without empty and dot segments; none for a clean path. */
    static Optional<Answer> redirect(Call call) {
        String cleaned = UpstreamUrl.cleaned(call.path());
        return cleaned.equals(call.path()) ? Optional.empty() : Optional.of(redirect(call, cleaned));
    }

    private static Answer redirect(Call call, String path) {
        String location = call.query() == null ? path : path + '?' + call.query();
        Answer answer = Answer.empty(307);
        if (call.method().equals("GET") || call.method().equals("HEAD")) {
            String link = location.replace("&", "&amp;")
                    .replace("<", "&lt;")
                    .replace(">", "&gt;")
                    .replace("\"", "&#34;")
                    .replace("'", "&#39;");
            answer = Answer.html(307, "<a href=\"" + link + "\">Temporary Redirect</a>.\n\n");
        }
        return answer.with("Location", location);
    }

    /** Whether a route matches a method; one for GET also matches HEAD. */
    static boolean takes(String route, String method) {
        return method.equals(route) || (route.equals("GET") && method.equals("HEAD"));
    }

    static Answer methodNotAllowed(String route) {
        return Answer.text(405, "Method Not Allowed\n").with("Allow", route.equals("GET") ? "GET, HEAD" : route);
    }

    static Answer notFound() {
        return Answer.text(404, "404 page not found\n");
    }
}
