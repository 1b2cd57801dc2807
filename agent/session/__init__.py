"""The program in each user's desktop: shows notices, sees windows, closes them as a user would."""
