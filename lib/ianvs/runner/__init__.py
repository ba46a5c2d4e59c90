"""Running test cases in processes of their own, and keeping what comes of them."""
