"""What the routes and the page share: who asks, what they may do, and how their files arrive."""
