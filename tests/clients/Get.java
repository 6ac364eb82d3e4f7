// SPDX-License-Identifier: Apache-2.0
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;

/** Gets a URL with HttpClient as it comes and prints the status. */
class Get {
	public static void main(String[] arguments) throws Exception {
		var request = HttpRequest.newBuilder(URI.create(arguments[0])).build();
		System.out.println(HttpClient.newHttpClient().send(request, BodyHandlers.ofString()).statusCode());
	}
}
